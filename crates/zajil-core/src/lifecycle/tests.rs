//! Every row of the life-cycle table, by report and state.
