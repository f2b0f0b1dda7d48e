//! A batch of structures as the network takes it: edge vectors on the device, all else indices.
//!
//! ```text
//! edge vector   v = r[receiver] - r[sender] + shift · cell, Å, in f64 on the host, rounded once
//! ```
//!
//! Everything geometric enters the network through the edge vectors, so their gradient `g = dE/dv`
//! `[E, 3]` is all that forces and stress need: `F = sum over sent edges of g - sum over received
//! ones`, `stress = sum of v ⊗ g / volume`, symmetrised. Positions and cells are no tensors.
//!
//! Energies of isolated atoms are added here in f64: totals are 1e4 eV and more, of which f32 would
//! lose 1e-3. Not here: neighbour lists.

use std::sync::Arc;

use burn::tensor::{FloatDType, Tensor, TensorData, backend::Backend};
use genesis_kernels::{EdgeGraph, RowIndex};
use genesis_schema::atoms::{Frame, GraphBatch, Matrix, Vector};

use super::{blueprint::Blueprint, config::MaceConfig, error::GraphError};

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct GraphInput<B: Backend> {
    /// `[E, 3]` from sender to receiver, Å.
    pub vectors: Tensor<B, 2>,
    /// What is not differentiated.
    pub layout: Arc<GraphLayout>,
}

/// Indices and host values of a batch of `G` structures, `N` atoms, `E` edges.
#[derive(Debug)]
pub struct GraphLayout {
    /// `[G + 1]` first atom of each structure, then `N`.
    pub first_atom: Vec<u32>,
    /// `[E]` edge vectors, Å, row by row.
    pub vectors: Vec<f64>,
    /// The atoms that send and those that receive; an edge and its reverse share radial weights.
    pub edges: Arc<EdgeGraph>,
    /// `[P]` the edge whose length each row of radial weights belongs to.
    pub pairs: RowIndex,
    /// `[N]` to the structures.
    pub graph_of_atom: RowIndex,
    /// `[E]` to the structures.
    pub graph_of_edge: RowIndex,
    /// `[N]` atomic numbers.
    pub atomic_numbers: Vec<u8>,
    /// Atoms by element.
    pub species: SpeciesIndex,
    /// `[E]` atomic numbers of sender and receiver.
    pub edge_elements: Vec<[u8; 2]>,
    /// `[G]` head of each structure.
    pub heads: Vec<usize>,
    /// `[N]` energy of each atom alone, eV.
    pub atomic_energies: Vec<f64>,
    /// `[G]` volume of the cell, Å^3, of structures that are periodic in all directions.
    pub volumes: Vec<Option<f64>>,
}

/// Which elements occur, and where.
#[derive(Debug)]
pub struct SpeciesIndex {
    /// Places in the configuration's list of those that occur, ascending.
    pub present: Arc<[usize]>,
    /// `[N]` index into [`Self::present`].
    pub of_atom: Arc<[u32]>,
    /// Places in the configuration's list as rows of a table of all elements.
    pub places: RowIndex,
}

impl GraphLayout {
    /// Checks a batch against the network and indexes it.
    ///
    /// # Errors
    /// [`GraphError`] naming the structure: an element or head the network does not know, atoms on
    /// top of each other, a cell without volume.
    pub fn new(config: &MaceConfig, batch: &GraphBatch) -> Result<Self, GraphError> {
        let first_atom = if batch.frames.is_empty() { vec![0] } else { batch.first_atom.clone() };
        let (num_atoms, num_graphs) = (batch.num_atoms(), batch.num_frames());
        let places = species_places(config, batch)?;
        let heads = each_frame(batch, |frame, id| head(config, frame, id))?;
        let graph_of_atom = spread(&first_atom);
        let atomic_numbers: Vec<u8> =
            batch.frames.iter().flat_map(|frame| frame.atomic_numbers.clone()).collect();
        let energy = |(&place, &graph): (&usize, &u32)| {
            config.atomic_energies_ev[heads[graph as usize]][place]
        };
        let atomic_energies = places.iter().zip(&graph_of_atom).map(energy).collect();
        let edges = &batch.edges;
        let graph = EdgeGraph::new(&edges.senders, &edges.receivers, num_atoms)?;
        let (rows, first_of_pair) = pair_up(&graph, &edges.shifts);
        let graph = graph.with_shared_weights(&rows, first_of_pair.len());
        let first_edge = if batch.frames.is_empty() { vec![0] } else { batch.first_edge.clone() };
        let pair = |(&sender, &receiver): (&u32, &u32)| {
            [atomic_numbers[sender as usize], atomic_numbers[receiver as usize]]
        };
        Ok(Self {
            vectors: edge_vectors(batch)?,
            edges: Arc::new(graph),
            pairs: RowIndex::new(&first_of_pair, edges.senders.len()),
            graph_of_atom: RowIndex::new(&graph_of_atom, num_graphs),
            graph_of_edge: RowIndex::new(&spread(&first_edge), num_graphs),
            species: SpeciesIndex::new(&places, config.elements.len()),
            edge_elements: edges.senders.iter().zip(&edges.receivers).map(pair).collect(),
            volumes: each_frame(batch, volume)?,
            first_atom,
            atomic_numbers,
            heads,
            atomic_energies,
        })
    }

    /// Atoms, `N`.
    pub fn num_atoms(&self) -> usize {
        self.atomic_energies.len()
    }

    /// Edges, `E`.
    pub fn num_edges(&self) -> usize {
        self.edge_elements.len()
    }

    /// Structures, `G`.
    pub fn num_graphs(&self) -> usize {
        self.heads.len()
    }

    /// `[G]` sums of the energies of the isolated atoms, eV.
    pub fn isolated_energies(&self) -> Vec<f64> {
        let span = |pair: &[u32]| pair[0] as usize..pair[1] as usize;
        self.first_atom
            .windows(2)
            .map(|pair| self.atomic_energies[span(pair)].iter().sum())
            .collect()
    }

    /// `[N]` values that atoms have from their structure.
    pub fn on_atoms<T: Copy>(&self, of_graph: &[T]) -> Vec<T> {
        spread(&self.first_atom).iter().map(|&graph| of_graph[graph as usize]).collect()
    }
}

impl SpeciesIndex {
    fn new(places: &[usize], num_elements: usize) -> Self {
        let mut present: Vec<usize> = places.to_vec();
        present.sort_unstable();
        present.dedup();
        let small = |at: usize| u32::try_from(at).expect("at most 118 elements");
        let compact = |place: &usize| small(present.partition_point(|p| p < place));
        let of_atom = places.iter().map(compact).collect();
        let rows: Vec<u32> = places.iter().map(|&place| small(place)).collect();
        Self { of_atom, present: present.into(), places: RowIndex::new(&rows, num_elements) }
    }
}

impl<B: Backend> GraphInput<B> {
    /// A batch on `device`, its vectors in `dtype`, which has to be that of the parameters.
    ///
    /// # Errors
    /// See [`GraphLayout::new`].
    pub fn upload(
        blueprint: &Blueprint,
        batch: &GraphBatch,
        dtype: FloatDType,
        device: &B::Device,
    ) -> Result<Self, GraphError> {
        let layout = Arc::new(GraphLayout::new(blueprint.config(), batch)?);
        let shape = [layout.num_edges(), 3];
        let vectors = constant(layout.vectors.clone(), shape, dtype, device);
        Ok(Self { vectors, layout })
    }
}

/// Host values as a tensor of `dtype`.
pub(super) fn constant<B: Backend, const D: usize>(
    values: Vec<f64>,
    shape: [usize; D],
    dtype: FloatDType,
    device: &B::Device,
) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values, shape), (device, dtype.into()))
}

/// The pair of every edge, and the first edge of every pair. An edge without a reverse is a pair by
/// itself. The vectors of a pair are opposite to the last bit, so their lengths are equal.
fn pair_up(graph: &EdgeGraph, shifts: &[[i32; 3]]) -> (Vec<u32>, Vec<u32>) {
    const NONE: u32 = u32::MAX;
    let (senders, receivers) = (graph.senders().rows(), graph.receivers().rows());
    let (mut rows, mut first) = (vec![NONE; senders.len()], Vec::new());
    for (edge, number) in (0..senders.len()).zip(0u32..) {
        if rows[edge] != NONE {
            continue;
        }
        let pair = u32::try_from(first.len()).unwrap_or(NONE);
        rows[edge] = pair;
        first.push(number);
        let back = shifts[edge].map(|shift| -shift);
        let candidates = graph.receivers().items_of(senders[edge] as usize);
        let reverse = candidates.iter().map(|&other| other as usize).find(|&other| {
            rows[other] == NONE && senders[other] == receivers[edge] && shifts[other] == back
        });
        if let Some(reverse) = reverse {
            rows[reverse] = pair;
        }
    }
    (rows, first)
}

/// For bounds `[G + 1]`, the number of the span that each item lies in.
fn spread(bounds: &[u32]) -> Vec<u32> {
    let spans = (0u32..).zip(bounds.windows(2));
    spans.flat_map(|(at, pair)| (pair[0]..pair[1]).map(move |_| at)).collect()
}

fn each_frame<T>(
    batch: &GraphBatch,
    what: impl Fn(&Frame, u64) -> Result<T, GraphError>,
) -> Result<Vec<T>, GraphError> {
    batch.frames.iter().zip(&batch.frame_ids).map(|(frame, &id)| what(frame, id)).collect()
}

fn species_places(config: &MaceConfig, batch: &GraphBatch) -> Result<Vec<usize>, GraphError> {
    let of_frame = each_frame(batch, |frame, id| {
        let place = |(atom, &atomic_number): (usize, &u8)| {
            config.species(atomic_number).ok_or_else(|| GraphError::UnknownElement {
                frame: id,
                atom,
                atomic_number,
                known: config.elements.clone(),
            })
        };
        frame.atomic_numbers.iter().enumerate().map(place).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(of_frame.concat())
}

fn head(config: &MaceConfig, frame: &Frame, id: u64) -> Result<usize, GraphError> {
    if frame.head.is_empty() && config.heads.len() == 1 {
        return Ok(0);
    }
    config.heads.iter().position(|head| *head == frame.head).ok_or_else(|| {
        GraphError::UnknownHead { frame: id, head: frame.head.clone(), known: config.heads.clone() }
    })
}

fn volume(frame: &Frame, id: u64) -> Result<Option<f64>, GraphError> {
    if frame.periodic != [true; 3] {
        return Ok(None);
    }
    let volume = determinant(&frame.cell).abs();
    // Below this a cell holds less than a thousandth of a hydrogen atom.
    if volume.is_finite() && volume > 1e-3 {
        Ok(Some(volume))
    } else {
        Err(GraphError::FlatCell { frame: id, volume })
    }
}

fn determinant([a, b, c]: &Matrix) -> f64 {
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
}

fn edge_vectors(batch: &GraphBatch) -> Result<Vec<f64>, GraphError> {
    let mut vectors = Vec::with_capacity(3 * batch.num_edges());
    let bounds = batch.first_atom.windows(2).zip(batch.first_edge.windows(2));
    for ((frame, &id), (atoms, edges)) in batch.frames.iter().zip(&batch.frame_ids).zip(bounds) {
        for edge in edges[0] as usize..edges[1] as usize {
            let [sender, receiver] = [batch.edges.senders[edge], batch.edges.receivers[edge]]
                .map(|atom| (atom - atoms[0]) as usize);
            let shift = batch.edges.shifts[edge].map(f64::from);
            let vector = edge_vector(frame, sender, receiver, shift);
            let length = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
            // A zero vector has no direction; NaN is caught here too.
            if length.is_nan() || length <= 0.0 || length.is_infinite() {
                return Err(GraphError::Overlap { frame: id, sender, receiver, length });
            }
            vectors.extend(vector);
        }
    }
    Ok(vectors)
}

fn edge_vector(frame: &Frame, sender: usize, receiver: usize, shift: Vector) -> Vector {
    let (from, to) = (frame.positions[sender], frame.positions[receiver]);
    std::array::from_fn(|axis| {
        let image: f64 = (0..3).map(|row| shift[row] * frame.cell[row][axis]).sum();
        to[axis] - from[axis] + image
    })
}
