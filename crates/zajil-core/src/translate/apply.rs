//! Rules compiled, and applied to the numbers of a message.
