//! The record of samples that reached this rank, where the run file asks for one.

use genesis_kernels::Kernels;

use super::course::Course;
use super::error::TrainError;
use super::task::Task;
use crate::cluster::{Cluster, Phase};
use crate::report::audit::{AuditFile, cut_audit_after};

/// Writes what this rank gets; nothing where it was not asked for.
#[derive(Debug)]
pub(super) struct Audit(Option<AuditFile>);

impl Audit {
    /// Goes on after `step` updates: what any rank got later is moved aside first, by the first rank.
    pub(super) fn begin(course: &Course, cluster: &Cluster, step: u64) -> Result<Self, TrainError> {
        let report = |error: crate::report::ReportError| TrainError::Report {
            step: step + 1,
            reason: error.to_string(),
        };
        let dir = &course.run_dir;
        let cut = if cluster.is_first() { cut_audit_after(dir, step) } else { Ok(()) };
        cluster.agree(Phase::Start, "cutting its audit", cut.map_err(report))?;
        let open = || AuditFile::open(dir, cluster.rank());
        let opened = course.audit.then(open).transpose();
        Ok(Self(cluster.agree(Phase::Start, "opening its audit", opened.map_err(report))?))
    }

    /// Writes the samples of the step that is the `done`-th.
    pub(super) fn record<B: Kernels, T: Task<B>>(
        &mut self,
        task: &T,
        done: u64,
        parts: &[Vec<T::Slice>],
    ) -> Result<(), TrainError> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let samples = parts.iter().flatten().flat_map(|slice| task.delivered(slice)).collect();
        let failed = |error| TrainError::Report { step: done, reason: format!("{error}") };
        file.append(done, samples).map_err(failed)
    }
}
