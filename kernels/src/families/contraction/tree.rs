//! The polynomial in nested form: `sum of x_a (K_a + sum of x_b (K_ab + sum of x_c K_abc))`.
//!
//! Terms that begin with the same factors share their products, so the value of a term of the
//! highest order costs one multiply-add and its gradients one each.

use std::ops::Range;

use super::Term;

/// An output and its first factors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    pub(super) output: usize,
    /// Among [`Tree::leads`].
    pub(super) leads: Range<usize>,
}

/// A factor that further ones follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Branch {
    /// The input that it is.
    pub(super) factor: usize,
    /// The term that ends with it.
    pub(super) term: Option<usize>,
    /// What follows: pairs of a lead, triples of a pair.
    pub(super) next: Range<usize>,
}

/// A third factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) factor: usize,
    pub(super) term: usize,
}

/// All terms, each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Tree {
    pub(super) outputs: Vec<Output>,
    /// First factors.
    pub(super) leads: Vec<Branch>,
    /// Second factors.
    pub(super) pairs: Vec<Branch>,
    /// Third factors.
    pub(super) triples: Vec<Leaf>,
}

impl Tree {
    pub(super) fn new(list: &[Term]) -> Self {
        let mut order: Vec<usize> = (0..list.len()).collect();
        // A term stands before those that it begins.
        order.sort_by_key(|&t| (list[t].output, factors(&list[t])));
        let mut tree = Self::default();
        for t in order {
            tree.push(usize::from(list[t].output), factors(&list[t]), t);
        }
        tree
    }

    fn push(&mut self, output: usize, [a, b, c]: [Option<usize>; 3], term: usize) {
        if self.outputs.last().is_none_or(|last| last.output != output) {
            let end = self.leads.len();
            self.outputs.push(Output { output, leads: end..end });
        }
        let last = self.outputs.len() - 1;
        let known = &mut self.outputs[last].leads;
        let next = self.pairs.len();
        let lead = branch(&mut self.leads, known, a, b.is_none().then_some(term), next);
        let Some(lead) = lead else { return };
        let next = self.triples.len();
        let known = &mut self.leads[lead].next;
        let pair = branch(&mut self.pairs, known, b, c.is_none().then_some(term), next);
        if let (Some(pair), Some(factor)) = (pair, c) {
            self.triples.push(Leaf { factor, term });
            self.pairs[pair].next.end = self.triples.len();
        }
    }

    /// Terms of a lead, the longest branch of them all.
    pub(super) fn num_terms(&self, lead: &Branch) -> usize {
        let pairs = &self.pairs[lead.next.clone()];
        let of_pair = |pair: &Branch| usize::from(pair.term.is_some()) + pair.next.len();
        usize::from(lead.term.is_some()) + pairs.iter().map(of_pair).sum::<usize>()
    }
}

/// The branch for a factor: the last of `known` where it has that factor and does not end another
/// term where `term` should end, else a new one.
fn branch(
    all: &mut Vec<Branch>,
    known: &mut Range<usize>,
    factor: Option<usize>,
    term: Option<usize>,
    next: usize,
) -> Option<usize> {
    let factor = factor?;
    let fits = |last: &Branch| last.factor == factor && (term.is_none() || last.term.is_none());
    if known.start < known.end && all.last().is_some_and(fits) {
        let last = all.len() - 1;
        all[last].term = all[last].term.or(term);
        return Some(last);
    }
    all.push(Branch { factor, term, next: next..next });
    known.end = all.len();
    Some(all.len() - 1)
}

fn factors(term: &Term) -> [Option<usize>; 3] {
    [0, 1, 2].map(|at| (at < usize::from(term.order).min(3)).then(|| usize::from(term.indices[at])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(output: u16, indices: [u16; 3], order: u8) -> Term {
        Term { output, indices, order }
    }

    #[test]
    fn terms_that_begin_alike_share_branches_and_no_term_is_lost() {
        let list = [
            term(0, [0, 1, 2], 3),
            term(0, [0, 0, 0], 1),
            term(0, [0, 1, 1], 3),
            term(0, [0, 1, 0], 2),
            term(0, [0, 1, 0], 2),
            term(1, [0, 1, 3], 3),
        ];
        let tree = Tree::new(&list);
        let outputs: Vec<_> = tree.outputs.iter().map(|o| (o.output, o.leads.clone())).collect();
        assert_eq!(outputs, [(0, 0..1), (1, 1..2)]);
        assert_eq!(tree.leads[0], Branch { factor: 0, term: Some(1), next: 0..2 });
        // The second of two equal terms has a branch of its own.
        assert_eq!(tree.pairs[0], Branch { factor: 1, term: Some(3), next: 0..0 });
        assert_eq!(tree.pairs[1], Branch { factor: 1, term: Some(4), next: 0..2 });
        let triples: Vec<_> = tree.triples.iter().map(|leaf| (leaf.factor, leaf.term)).collect();
        assert_eq!(triples, [(1, 2), (2, 0), (3, 5)]);
        assert_eq!(tree.leads.iter().map(|lead| tree.num_terms(lead)).sum::<usize>(), list.len());
    }
}
