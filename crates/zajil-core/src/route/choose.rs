//! Which route wins, and why each other lost (S4.2).
