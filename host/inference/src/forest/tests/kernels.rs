//! The vector kernel, the portable one and the walk, on the same forests.

use super::*;

/// Numbers drawn from a seed (Knuth's MMIX constants).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    /// Few thresholds, so that values meet them.
    fn value(&mut self) -> f32 {
        let special = [
            f32::INFINITY,
            f32::NEG_INFINITY,
            0.0,
            -0.0,
            f32::MIN_POSITIVE / 2.0,
            f32::MAX,
        ];
        match self.below(8) {
            0 => special[self.below(special.len())],
            1 => f32::from_bits(0x7FA0_0000),
            2 => f32::NAN,
            _ => self.below(9) as f32 - 4.0,
        }
    }

    fn threshold(&mut self) -> f64 {
        loop {
            let value = self.value();
            if !value.is_nan() {
                return f64::from(value);
            }
        }
    }

    /// A subtree; its root is the node pushed first.
    fn grow(&mut self, tree: &mut Tree, depth: usize, features: usize, leaf: &[usize]) -> u32 {
        let at = tree.nodes.len();
        if depth == 0 || self.below(8) == 0 {
            let weight = |target: &usize, seed: usize| {
                (
                    *target as u32,
                    f64::from(seed as f32 / 1_000_003.0 - 1_000.0),
                )
            };
            let weights: Vec<_> = leaf
                .iter()
                .map(|t| weight(t, self.below(1 << 31)))
                .collect();
            let leaf = tree.leaf(&weights);
            tree.nodes.push(leaf);
            return at as u32;
        }
        tree.nodes.push(Node::Leaf { first: 0, count: 0 });
        let t = self.threshold();
        let tests = [
            Test::Less(t),
            Test::LessEqual(t),
            Test::Greater(t),
            Test::GreaterEqual(t),
        ];
        let missing = [Missing::Yes, Missing::No, Missing::Compared, Missing::Zero];
        let split = Node::Split {
            feature: self.below(features) as u32,
            test: tests[self.below(tests.len())].clone(),
            missing: missing[self.below(missing.len())],
            yes: self.grow(tree, depth - 1, features, leaf),
            no: self.grow(tree, depth - 1, features, leaf),
        };
        tree.nodes[at] = split;
        at as u32
    }

    fn forest(&mut self, features: usize, targets: usize, trees: usize) -> ForestBuilder {
        let deepest = 1 + self.below(8);
        let one_target = self.below(3) > 0;
        let tree = |_| {
            let mut tree = Tree::default();
            let all: Vec<usize> = (0..targets).collect();
            let one = [self.below(targets)];
            let leaf = if one_target { &one[..] } else { &all[..] };
            let depth = self.below(deepest + 1);
            self.grow(&mut tree, depth, features, leaf);
            tree
        };
        ForestBuilder {
            features,
            targets,
            trees: (0..trees).map(tree).collect(),
            base: vec![],
            aggregation: Aggregation::Sum,
            precision: Precision::F32,
        }
    }
}

fn scores(forest: &Forest, rows: Rows<'_>, count: usize) -> Vec<f64> {
    let mut out = vec![f64::NAN; count * forest.targets()];
    forest.score(rows, &mut out);
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn kernels_agree(
        seed in any::<u64>(), wide in any::<bool>(), features in 1..200_usize,
        targets in 1..4_usize, trees in 1..40_usize, count in 1..40_usize, missing in any::<bool>(),
    ) {
        let mut draw = Draw(seed);
        let features = if wide { features } else { features.div_ceil(6) };
        let builder = draw.forest(features, targets, trees);
        let mut rows: Vec<f32> = (0..features * count).map(|_| draw.value()).collect();
        if !missing {
            for x in rows.iter_mut().filter(|x| x.is_nan()) { *x = 0.5; }
        }
        let mut forest = builder.clone().compile().unwrap();
        let here = scores(&forest, Rows::F32(&rows), count);
        forest.make_portable();
        let portable = scores(&forest, Rows::F32(&rows), count);
        let bits = |scores: &[f64]| scores.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&here), bits(&portable));

        let wide: Vec<f64> = rows.iter().map(|&x| f64::from(x)).collect();
        let walk = ForestBuilder { precision: Precision::F64, ..builder }.compile().unwrap();
        for (x, y) in here.iter().zip(scores(&walk, Rows::F64(&wide), count)) {
            prop_assert!((x - y).abs() < 1e-7, "{} {}", x, y);
        }
    }
}
