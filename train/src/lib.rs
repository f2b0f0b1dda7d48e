//! Training runs: configuration, the loop, optimisers, checkpoints, evaluation, reports, exchange.
//!
//! Reading order: [`config`] (file to plan), [`trainer`] (the loop), [`optim`], [`schedule`],
//! [`plateau`], [`checkpoint`], [`report`], [`device`], [`export`], [`inference`], [`atoms`].

pub mod atoms;
pub mod checkpoint;
pub mod config;
pub mod device;
pub mod evaluate;
pub mod export;
mod host;
pub mod inference;
pub mod optim;
pub mod plateau;
pub mod report;
pub mod schedule;
pub mod trainer;
