//! Ingest through its public interface: formats and folders, hostile inputs, real files.

#[cfg(test)]
mod formats;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod letters;
#[cfg(test)]
mod real;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tables;
