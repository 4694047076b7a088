//! The distance of a window's mean from the reference's, in standard errors.

use tollgate_plugin::{Batch, Detector, Failure, Score};

struct MeanShift {
    mean: f64,
    variance: f64,
}

impl Detector for MeanShift {
    fn fit(_settings: &str, reference: Batch) -> Result<Self, Failure> {
        let values = reference.f64s(0)?;
        let n = values.len() as f64;
        if n < 2.0 {
            return Err(Failure::invalid_input(
                "too-few-rows",
                "the reference needs two rows",
            ));
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>();
        Ok(Self {
            mean,
            variance: squares / (n - 1.0),
        })
    }

    fn observe(&mut self, window: Batch) -> Result<Vec<Score>, Failure> {
        let values = window.f64s(0)?;
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let error = (self.variance / n).sqrt().max(f64::MIN_POSITIVE);
        let statistic = ((mean - self.mean) / error).abs();
        Ok(vec![Score {
            feature: "x".into(),
            statistic,
            p_value: None,
            drifted: statistic > 4.0,
        }])
    }

    fn snapshot(&self) -> Result<Vec<u8>, Failure> {
        Ok([self.mean.to_le_bytes(), self.variance.to_le_bytes()].concat())
    }

    fn restore(_settings: &str, state: &[u8]) -> Result<Self, Failure> {
        let number = |at: usize| {
            let bytes = state
                .get(at..at + 8)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.map(f64::from_le_bytes).ok_or_else(|| {
                Failure::invalid_input("bad-state", "the snapshot has another length")
            })
        };
        Ok(Self {
            mean: number(0)?,
            variance: number(8)?,
        })
    }
}

tollgate_plugin::export_detector!(MeanShift);
