//! The edges of a batch as the convolution walks them: by receiver, and by sender.

use thiserror::Error;

use crate::families::rows::RowIndex;
use crate::memo::Memo;

/// Why lists of senders and receivers are not a graph.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EdgeGraphError {
    /// The two lists differ in length.
    #[error("edges: {senders} senders but {receivers} receivers; give one of each per edge")]
    Lengths {
        /// Number of senders.
        senders: usize,
        /// Number of receivers.
        receivers: usize,
    },
    /// An edge names a node that does not exist.
    #[error("edges: edge {edge} names node {node} but there are {num_nodes} nodes")]
    Node {
        /// The edge.
        edge: usize,
        /// What it names.
        node: u32,
        /// Number of nodes.
        num_nodes: usize,
    },
    /// Receivers decrease.
    #[error(
        "edges: edge {edge} has receiver {receiver} after receiver {previous}; sort edges by receiver"
    )]
    Order {
        /// The edge.
        edge: usize,
        /// Its receiver.
        receiver: u32,
        /// The receiver of the edge before.
        previous: u32,
    },
}

/// Directed edges sorted by receiver, and the same sorted by sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeGraph {
    senders: RowIndex,
    receivers: RowIndex,
    weights: RowIndex,
    memo: Memo,
}

impl EdgeGraph {
    /// Edge `e` goes from `senders[e]` to `receivers[e]`, both below `num_nodes`.
    ///
    /// # Errors
    /// [`EdgeGraphError`] when the lists differ in length, an edge names no node, or receivers
    /// are not ascending.
    pub fn new(
        senders: &[u32],
        receivers: &[u32],
        num_nodes: usize,
    ) -> Result<Self, EdgeGraphError> {
        if senders.len() != receivers.len() {
            let (senders, receivers) = (senders.len(), receivers.len());
            return Err(EdgeGraphError::Lengths { senders, receivers });
        }
        for (edge, (&sender, &receiver)) in senders.iter().zip(receivers).enumerate() {
            if let Some(node) = [sender, receiver].into_iter().find(|&n| n as usize >= num_nodes) {
                return Err(EdgeGraphError::Node { edge, node, num_nodes });
            }
        }
        if let Some(at) = receivers.windows(2).position(|pair| pair[0] > pair[1]) {
            let (previous, receiver) = (receivers[at], receivers[at + 1]);
            return Err(EdgeGraphError::Order { edge: at + 1, receiver, previous });
        }
        let edges: Vec<u32> = (0..).take(senders.len()).collect();
        let (senders, receivers) =
            (RowIndex::new(senders, num_nodes), RowIndex::new(receivers, num_nodes));
        let weights = RowIndex::new(&edges, edges.len());
        Ok(Self { senders, receivers, weights, memo: Memo::default() })
    }

    /// The same edges, but edge `e` has row `rows[e]` of `num_rows` rows of radial weights: an edge
    /// and its reverse have the same length and may share them.
    ///
    /// # Panics
    /// When there is not one row per edge, or one is not below `num_rows`: a bug of the caller.
    #[must_use]
    pub fn with_shared_weights(self, rows: &[u32], num_rows: usize) -> Self {
        assert_eq!(rows.len(), self.num_edges(), "EdgeGraph: one row of weights per edge");
        Self { weights: RowIndex::new(rows, num_rows), memo: Memo::default(), ..self }
    }

    /// What devices keep of the graph.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    pub(crate) fn memo(&self) -> &Memo {
        &self.memo
    }

    /// Sender, receiver and row of the radial weights of every edge, `[E, 3]`.
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    pub(crate) fn ends(&self) -> Vec<u32> {
        let ends = self.senders.rows().iter().zip(self.receivers.rows()).zip(self.weights.rows());
        ends.flat_map(|((&sender, &receiver), &row)| [sender, receiver, row]).collect()
    }

    /// `N`.
    pub fn num_nodes(&self) -> usize {
        self.senders.num_rows()
    }

    /// The row of the radial weights of every edge, and the edges of every row.
    pub fn weights(&self) -> &RowIndex {
        &self.weights
    }

    /// `E`.
    pub fn num_edges(&self) -> usize {
        self.senders.num_items()
    }

    /// The sender of every edge, and the edges of every sender.
    pub fn senders(&self) -> &RowIndex {
        &self.senders
    }

    /// The receiver of every edge, ascending, and the edges of every receiver.
    pub fn receivers(&self) -> &RowIndex {
        &self.receivers
    }
}
