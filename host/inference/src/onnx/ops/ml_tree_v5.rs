//! The node lists of `ai.onnx.ml` `TreeEnsemble` (version 5).

use crate::{
    forest::{Missing, Node as TreeNode, Test, Tree},
    onnx::{fault::Refusal, node::Node},
};
use std::collections::HashMap;

/// The mode that tests membership in a set.
const MEMBER: u8 = 6;

struct Lists<'a> {
    features: &'a [i64],
    modes: Vec<u8>,
    splits: &'a [f64],
    yes: &'a [i64],
    no: &'a [i64],
    yes_leaf: &'a [i64],
    no_leaf: &'a [i64],
    missing: &'a [i64],
    leaf_targets: &'a [i64],
    leaf_weights: Vec<f64>,
    /// Set of each node that tests membership.
    members: HashMap<usize, Vec<f64>>,
}

/// Splits the list of set members (sets end with NaN) into one set per node.
fn member_sets(values: &[f64]) -> Vec<Vec<f64>> {
    let mut sets: Vec<Vec<f64>> = values.split(|x| x.is_nan()).map(<[f64]>::to_vec).collect();
    if values.last().is_none_or(|x| x.is_nan()) {
        sets.pop();
    }
    sets
}

/// Follows every root; each node is reached once, so shared or cyclic nodes
/// are refused.
pub(crate) fn trees(node: &Node<'_>, splits: &[f64], targets: usize) -> Result<Vec<Tree>, Refusal> {
    let ints = |name: &str| Ok::<_, Refusal>(node.ints(name)?.unwrap_or_default());
    node.ignore("nodes_hitrates");
    let modes = match node.tensor("nodes_modes")? {
        Some(tensor) => tensor.values::<u8>()?.to_vec(),
        None => Vec::new(),
    };
    let floats = |name: &str| -> Result<Vec<f64>, Refusal> {
        let tensor = node.tensor(name)?;
        Ok(tensor.and_then(|t| t.data().to_f64()).unwrap_or_default())
    };
    let with_set = modes
        .iter()
        .enumerate()
        .filter(|(_, mode)| **mode == MEMBER);
    let with_set: Vec<usize> = with_set.map(|(at, _)| at).collect();
    let sets = member_sets(&floats("membership_values")?);
    if sets.len() != with_set.len() {
        return Err(node.broken("membership_values do not fit the nodes"));
    }
    let lists = Lists {
        features: ints("nodes_featureids")?,
        modes,
        splits,
        yes: ints("nodes_truenodeids")?,
        no: ints("nodes_falsenodeids")?,
        yes_leaf: ints("nodes_trueleafs")?,
        no_leaf: ints("nodes_falseleafs")?,
        missing: ints("nodes_missing_value_tracks_true")?,
        leaf_targets: ints("leaf_targetids")?,
        leaf_weights: floats("leaf_weights")?,
        members: with_set.into_iter().zip(sets).collect(),
    };
    let n = lists.features.len();
    let lengths = [
        lists.modes.len(),
        lists.splits.len(),
        lists.yes.len(),
        lists.no.len(),
        lists.yes_leaf.len(),
        lists.no_leaf.len(),
    ];
    if lengths.iter().any(|&length| length != n) {
        return Err(node.broken("node attributes have different lengths"));
    }
    if lists.leaf_targets.len() != lists.leaf_weights.len() {
        return Err(node.broken("leaf attributes have different lengths"));
    }
    if lists
        .leaf_targets
        .iter()
        .any(|&id| id < 0 || id as usize >= targets)
    {
        return Err(node.broken("a leaf target does not exist"));
    }
    let mut seen = vec![false; n];
    let roots = ints("tree_roots")?;
    roots
        .iter()
        .map(|&root| lists.tree(node, root, &mut seen))
        .collect()
}

impl Lists<'_> {
    fn test(&self, at: usize) -> Option<Test> {
        let value = self.splits[at];
        Some(match self.modes[at] {
            0 => Test::LessEqual(value),
            1 => Test::Less(value),
            2 => Test::GreaterEqual(value),
            3 => Test::Greater(value),
            4 => Test::Equal(value),
            5 => Test::NotEqual(value),
            MEMBER => Test::Member(self.members.get(&at)?.clone()),
            _ => return None,
        })
    }

    /// A child: an inner node to be made later, or a leaf made now.
    fn child(
        &self,
        node: &Node<'_>,
        id: i64,
        is_leaf: bool,
        tree: &mut Tree,
        open: &mut Vec<(usize, usize)>,
    ) -> Result<u32, Refusal> {
        let id = usize::try_from(id).map_err(|_| node.broken("a negative node number"))?;
        let place = tree.nodes.len();
        if is_leaf {
            let (Some(&target), Some(&weight)) =
                (self.leaf_targets.get(id), self.leaf_weights.get(id))
            else {
                return Err(node.broken(&format!("leaf {id} does not exist")));
            };
            let leaf = tree.leaf(&[(target as u32, weight)]);
            tree.nodes.push(leaf);
        } else {
            tree.nodes.push(TreeNode::Leaf { first: 0, count: 0 });
            open.push((id, place));
        }
        Ok(place as u32)
    }

    fn tree(&self, node: &Node<'_>, root: i64, seen: &mut [bool]) -> Result<Tree, Refusal> {
        let mut tree = Tree::default();
        let mut open = Vec::new();
        self.child(node, root, false, &mut tree, &mut open)?;
        while let Some((id, place)) = open.pop() {
            match seen.get_mut(id) {
                Some(seen) if !*seen => *seen = true,
                Some(_) => return Err(node.broken(&format!("node {id} is reached twice"))),
                None => return Err(node.broken(&format!("node {id} does not exist"))),
            }
            let feature = u32::try_from(self.features[id])
                .map_err(|_| node.broken("nodes_featureids out of range"))?;
            let Some(test) = self.test(id) else {
                return Err(node.refuse(&format!("node mode {}", self.modes[id])));
            };
            let (yes_leaf, no_leaf) = (self.yes_leaf[id] != 0, self.no_leaf[id] != 0);
            let yes = self.child(node, self.yes[id], yes_leaf, &mut tree, &mut open)?;
            let no = self.child(node, self.no[id], no_leaf, &mut tree, &mut open)?;
            let missing = match self.missing.get(id) {
                Some(&flag) if flag != 0 => Missing::Yes,
                _ => Missing::Compared,
            };
            tree.nodes[place] = TreeNode::Split {
                feature,
                test,
                missing,
                yes,
                no,
            };
        }
        Ok(tree)
    }
}
