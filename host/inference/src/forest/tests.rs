//! The compiled layouts against the plainest possible reading of the trees.

mod kernels;

use super::*;
use proptest::prelude::*;

/// Follows the builder's own nodes with the definitions of [`Test`] and [`Missing`].
fn naive(builder: &ForestBuilder, row: &[f64]) -> Vec<f64> {
    let mut given: Vec<Vec<f64>> = vec![Vec::new(); builder.targets];
    for tree in &builder.trees {
        let mut at = 0;
        loop {
            match &tree.nodes[at as usize] {
                Node::Split {
                    feature,
                    test,
                    missing,
                    yes,
                    no,
                } => {
                    let x = row[*feature as usize];
                    let compared = |x: f64| match test {
                        Test::Less(t) => x < *t,
                        Test::LessEqual(t) => x <= *t,
                        Test::Greater(t) => x > *t,
                        Test::GreaterEqual(t) => x >= *t,
                        Test::Equal(t) => x == *t,
                        Test::NotEqual(t) => x != *t,
                        Test::Member(values) => values.contains(&x),
                        Test::Category {
                            bits,
                            truncate_negative,
                        } => {
                            let members: Vec<i64> = (0..bits.len() * 32)
                                .filter(|i| bits[i / 32] & (1 << (i % 32)) != 0)
                                .map(|i| i as i64)
                                .collect();
                            let negative = x.is_sign_negative() && x != 0.0;
                            (!negative || *truncate_negative && x > -1.0)
                                && !x.is_nan()
                                && members.contains(&(x as i64))
                        }
                    };
                    let zero = x >= -f64::from(1e-35_f32) && x <= f64::from(1e-35_f32);
                    let goes = match missing {
                        Missing::Yes if x.is_nan() => true,
                        Missing::No if x.is_nan() => false,
                        Missing::Zero if x.is_nan() => compared(0.0),
                        Missing::WithZero(way) if x.is_nan() || zero => *way,
                        _ => compared(x),
                    };
                    at = if goes { *yes } else { *no };
                }
                Node::Leaf { first, count } => {
                    for (target, weight) in &tree.weights[*first as usize..][..*count as usize] {
                        given[*target as usize].push(*weight);
                    }
                    break;
                }
            }
        }
    }
    let base = |target: usize| builder.base.get(target).copied().unwrap_or(0.0);
    let one = |(target, given): (usize, Vec<f64>)| {
        let sum: f64 = given.iter().sum();
        base(target)
            + match builder.aggregation {
                Aggregation::Sum => sum,
                Aggregation::Average(n) => sum / f64::from(n),
                Aggregation::Min => given.into_iter().reduce(f64::min).unwrap_or(0.0),
                Aggregation::Max => given.into_iter().reduce(f64::max).unwrap_or(0.0),
            }
    };
    given.into_iter().enumerate().map(one).collect()
}

fn number() -> impl Strategy<Value = f64> {
    let special = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        2.0,
        1e-36,
        -1e-36,
        1e300,
        -1e300,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    prop_oneof![
        4 => (-8_i32..8).prop_map(|x| f64::from(x) / 2.0),
        2 => -2.0..2.0_f64,
        1 => any::<f32>().prop_filter("number", |x| !x.is_nan()).prop_map(f64::from),
        1 => proptest::sample::select(special),
    ]
}

fn test(plain: bool) -> BoxedStrategy<Test> {
    let ordered = prop_oneof![
        number().prop_map(Test::Less),
        number().prop_map(Test::LessEqual),
        number().prop_map(Test::Greater),
        number().prop_map(Test::GreaterEqual),
    ];
    if plain {
        return ordered.boxed();
    }
    prop_oneof![
        4 => ordered,
        1 => number().prop_map(Test::Equal),
        1 => number().prop_map(Test::NotEqual),
        1 => prop::collection::vec(number(), 0..4).prop_map(Test::Member),
        2 => (prop::collection::vec(any::<u32>(), 0..3), any::<bool>())
            .prop_map(|(bits, truncate_negative)| Test::Category { bits, truncate_negative }),
    ]
    .boxed()
}

fn missing() -> impl Strategy<Value = Missing> {
    prop_oneof![
        Just(Missing::Yes),
        Just(Missing::No),
        Just(Missing::Compared),
        Just(Missing::Zero),
        any::<bool>().prop_map(Missing::WithZero),
    ]
}

const FEATURES: usize = 5;
const TARGETS: usize = 3;

type Recipe = (
    Vec<(u32, Test, Missing, prop::sample::Index)>,
    Vec<(u32, i32)>,
    bool,
);

/// Grows a tree by splitting a random leaf again and again; leaf weights are
/// multiples of 1/8, so that sums are exact in any order.
fn grow((splits, weights, one_target): Recipe) -> Tree {
    let mut tree = Tree::default();
    let mut leaves = vec![0usize];
    let mut nodes = vec![None];
    for (feature, test, missing, index) in splits {
        let at = leaves.swap_remove(index.index(leaves.len()));
        let yes = nodes.len();
        nodes.extend([None, None]);
        leaves.extend([yes, yes + 1]);
        let (yes, no) = (yes as u32, yes as u32 + 1);
        nodes[at] = Some(Node::Split {
            feature,
            test,
            missing,
            yes,
            no,
        });
    }
    let mut turn = 0usize;
    for node in nodes {
        let node = node.unwrap_or_else(|| {
            let (target, weight) = weights[turn % weights.len()];
            let weight = f64::from(weight) / 8.0 + turn as f64;
            turn += 1;
            if one_target {
                tree.leaf(&[(weights[0].0, weight)])
            } else {
                tree.leaf(&[(target, weight), ((target + 1) % TARGETS as u32, -weight)])
            }
        });
        tree.nodes.push(node);
    }
    tree
}

fn tree(plain: bool) -> impl Strategy<Value = Tree> {
    let split = (
        0..FEATURES as u32,
        test(plain),
        missing(),
        any::<prop::sample::Index>(),
    );
    let recipe = (
        prop::collection::vec(split, 0..40),
        prop::collection::vec((0..TARGETS as u32, -64..64), 1..9),
        any::<bool>(),
    );
    recipe.prop_map(grow)
}

fn rows() -> impl Strategy<Value = Vec<f32>> {
    let value = prop_oneof![
        6 => number().prop_map(|x| x as f32),
        1 => Just(f32::NAN),
        1 => (0_u8..70).prop_map(f32::from),
        1 => Just(-0.5_f32),
    ];
    prop::collection::vec(value, FEATURES..FEATURES * 40).prop_map(|mut values| {
        values.truncate(values.len() / FEATURES * FEATURES);
        values
    })
}

fn agree(builder: &ForestBuilder, rows: &[f32]) -> Result<(), TestCaseError> {
    let wide: Vec<f64> = rows.iter().map(|&x| f64::from(x)).collect();
    let expected: Vec<f64> = wide
        .chunks(FEATURES)
        .flat_map(|row| naive(builder, row))
        .collect();
    let mut out = vec![f64::NAN; expected.len()];
    builder
        .clone()
        .compile()
        .unwrap()
        .score(Rows::F32(rows), &mut out);
    prop_assert_eq!(&out, &expected);
    let double = ForestBuilder {
        precision: Precision::F64,
        ..builder.clone()
    };
    double.compile().unwrap().score(Rows::F64(&wide), &mut out);
    prop_assert_eq!(&out, &expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn plain_forests_score_as_a_naive_walk_does(
        trees in prop::collection::vec(tree(true), 0..20), rows in rows(), average in any::<bool>(),
    ) {
        let aggregation = if average { Aggregation::Average(4) } else { Aggregation::Sum };
        let base = vec![0.5, -1.0, 0.0];
        agree(&ForestBuilder {
            features: FEATURES, targets: TARGETS, trees, base, aggregation, precision: Precision::F32,
        }, &rows)?;
    }

    #[test]
    fn any_forest_scores_as_a_naive_walk_does(
        trees in prop::collection::vec(tree(false), 0..8), rows in rows(), kind in 0..4_usize,
    ) {
        let aggregation =
            [Aggregation::Sum, Aggregation::Average(2), Aggregation::Min, Aggregation::Max][kind];
        agree(&ForestBuilder {
            features: FEATURES, targets: TARGETS, trees, base: vec![], aggregation,
            precision: Precision::F32,
        }, &rows)?;
    }
}

fn stump(feature: u32, yes: u32, no: u32) -> Tree {
    let mut tree = Tree::default();
    let split = Node::Split {
        feature,
        test: Test::LessEqual(0.0),
        missing: Missing::Yes,
        yes,
        no,
    };
    let leaves = [tree.leaf(&[(0, 1.0)]), tree.leaf(&[(0, 2.0)])];
    tree.nodes.push(split);
    tree.nodes.extend(leaves);
    tree
}

fn forest(tree: Tree) -> ForestBuilder {
    ForestBuilder {
        features: 2,
        targets: 1,
        trees: vec![tree],
        base: vec![],
        aggregation: Aggregation::Sum,
        precision: Precision::F32,
    }
}

#[test]
fn broken_trees_are_refused_with_the_place() {
    let refusal = |builder: ForestBuilder| builder.compile().unwrap_err().to_string();
    assert!(forest(stump(1, 1, 2)).compile().is_ok());
    assert!(refusal(forest(stump(2, 1, 2))).contains("feature 2 of 2"));
    assert!(refusal(forest(stump(0, 0, 2))).contains("reached twice"));
    assert!(refusal(forest(stump(0, 1, 1))).contains("reached twice"));
    assert!(refusal(forest(stump(0, 1, 9))).contains("node 9 does not exist"));
    assert!(refusal(forest(Tree::default())).contains("node 0 does not exist"));
    let mut heavy = stump(0, 1, 2);
    heavy.weights[0] = (7, 1.0);
    assert!(refusal(forest(heavy.clone())).contains("output 7 of 1"));
    heavy.weights[0] = (0, f64::NAN);
    assert!(refusal(forest(heavy)).contains("not finite"));
    let mut lost = stump(0, 1, 2);
    lost.weights.clear();
    assert!(refusal(forest(lost)).contains("weights do not exist"));
    assert!(
        refusal(ForestBuilder {
            features: 1 << 30,
            ..forest(stump(0, 1, 2))
        })
        .contains("features")
    );
    assert!(
        refusal(ForestBuilder {
            targets: 0,
            ..forest(stump(0, 1, 2))
        })
        .contains("outputs")
    );
    assert!(
        refusal(ForestBuilder {
            base: vec![0.0; 3],
            ..forest(stump(0, 1, 2))
        })
        .contains("base")
    );
}

#[test]
fn a_chain_deeper_than_the_limit_is_refused_and_one_below_it_runs() {
    let chain = |depth: u32| {
        let mut tree = Tree::default();
        for level in 0..depth {
            let (feature, test, missing) = (0, Test::Less(0.0), Missing::No);
            tree.nodes.push(Node::Split {
                feature,
                test,
                missing,
                yes: 2 * level + 2,
                no: 2 * level + 1,
            });
            let leaf = tree.leaf(&[(0, f64::from(level))]);
            tree.nodes.push(leaf);
        }
        let leaf = tree.leaf(&[(0, -1.0)]);
        tree.nodes.push(leaf);
        forest(tree)
    };
    assert!(
        chain(5000)
            .compile()
            .unwrap_err()
            .to_string()
            .contains("deeper")
    );
    let mut out = [0.0];
    chain(4000)
        .compile()
        .unwrap()
        .score(Rows::F32(&[-1.0, 0.0]), &mut out);
    assert_eq!(out, [-1.0]);
}

#[test]
fn rows_too_wide_for_the_fast_layout_still_score() {
    let mut wide = forest(stump(0, 1, 2));
    wide.features = 20_000;
    let mut out = [0.0];
    wide.compile()
        .unwrap()
        .score(Rows::F32(&vec![1.0; 20_000]), &mut out);
    assert_eq!(out, [2.0]);
}
