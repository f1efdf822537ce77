//! Callrelay stands beside an Asterisk PBX and lets the computers of people who are on a call
//! together exchange messages.

pub mod asterisk;
pub mod cli;
pub mod clock;
pub mod config;
pub mod gateway;
pub mod model;
pub mod relay;
pub mod runtime;
pub mod store;
pub mod tracker;
pub mod users;
