//! Structures of atoms: from raw files through shards to batches.

#[cfg(test)]
mod arrays;
#[cfg(test)]
mod contradictions;
#[cfg(test)]
mod dialects;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod real;
#[cfg(test)]
mod support;
#[cfg(test)]
mod weights;
