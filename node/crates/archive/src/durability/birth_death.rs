/// A birth-death Markov chain in continuous time that starts in state 0 and ends behind its last state.
///
/// Every method adds and multiplies numbers that are not negative, so chances of 1e-40 come out with all their digits.
#[derive(Clone, Debug, PartialEq)]
pub struct BirthDeath {
    /// From state i to i + 1; from the last one, to the end.
    up: Vec<f64>,
    /// From state i + 1 to i.
    down: Vec<f64>,
}

impl BirthDeath {
    /// A chain with `up.len()` states before its end. Rates are not negative, in any unit of time; what `down` lacks is 0.
    pub fn new(up: Vec<f64>, mut down: Vec<f64>) -> Self {
        down.resize(up.len().saturating_sub(1), 0.0);
        Self { up, down }
    }

    /// The mean time until the end; infinite if it is never reached.
    ///
    /// State i is left upwards for the first time after h(i) = 1 / up(i) + down(i) / up(i) * h(i - 1), on average.
    pub fn mean_time(&self) -> f64 {
        let below = std::iter::once(&0.0).chain(&self.down);
        let (mut total, mut last) = (0.0, 0.0);
        for (up, down) in self.up.iter().zip(below) {
            if *up <= 0.0 {
                return f64::INFINITY;
            }
            last = (1.0 + down * last) / up;
            total += last;
        }
        total
    }

    /// The chance that the end is reached within a time.
    ///
    /// Uniformisation (Jensen 1953) for a step so short that few jumps fall into it, then squared until it is as long as `time`.
    pub fn absorbed_within(&self, time: f64) -> f64 {
        let end = self.up.len();
        let fastest = (0..end).map(|state| self.leaving(state)).fold(0.0, f64::max);
        if fastest <= 0.0 || time <= 0.0 {
            return 0.0;
        }
        let (mut step, mut doublings) = (fastest * time, 0u32);
        while step > 0.5 {
            step /= 2.0;
            doublings = doublings.saturating_add(1);
        }
        let mut transition = self.short_step(fastest, step);
        for _ in 0..doublings {
            transition = transition.times(&transition);
        }
        transition.at(0, end).min(1.0)
    }

    /// The long-run distribution over its states, if the last one is never left upwards: its `up` is 0.
    pub fn stationary(&self) -> Vec<f64> {
        let mut weights = vec![1.0];
        let mut weight = 1.0;
        for (up, down) in self.up.iter().zip(&self.down) {
            weight *= if *up > 0.0 { up / down } else { 0.0 };
            weights.push(weight);
        }
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    }

    fn leaving(&self, state: usize) -> f64 {
        let up = self.up.get(state).copied().unwrap_or_default();
        let below = state.checked_sub(1).and_then(|below| self.down.get(below));
        up + below.copied().unwrap_or_default()
    }

    /// The transition matrix of a time of `step / fastest`.
    fn short_step(&self, fastest: f64, step: f64) -> Matrix {
        let states = self.up.len().saturating_add(1);
        let jump = self.jump(fastest, states);
        // Terms beyond these are smaller than rounding, also for the way from the first state to the end.
        let terms = u16::try_from(states).unwrap_or(u16::MAX).saturating_add(24);
        let mut weight = (-step).exp();
        let mut power = Matrix::identity(states);
        let mut sum = Matrix::zero(states);
        for term in 1..=terms {
            sum.add(weight, &power);
            power = power.times(&jump);
            weight *= step / f64::from(term);
        }
        sum
    }

    /// One jump of the chain that is uniformised with the rate of its fastest state.
    fn jump(&self, fastest: f64, states: usize) -> Matrix {
        let mut jump = Matrix::identity(states);
        for (state, up) in self.up.iter().enumerate() {
            let next = state.saturating_add(1);
            jump.set(state, next, up / fastest);
            jump.set(state, state, (1.0 - self.leaving(state) / fastest).max(0.0));
            if let Some(down) = self.down.get(state) {
                jump.set(next, state, down / fastest);
            }
        }
        jump
    }
}

/// A square matrix, row by row.
#[derive(Clone, Debug)]
struct Matrix {
    width: usize,
    values: Vec<f64>,
}

impl Matrix {
    fn zero(width: usize) -> Self {
        Self {
            width,
            values: vec![0.0; width.saturating_mul(width)],
        }
    }

    fn identity(width: usize) -> Self {
        let mut matrix = Self::zero(width);
        (0..width).for_each(|index| matrix.set(index, index, 1.0));
        matrix
    }

    fn index(&self, row: usize, column: usize) -> usize {
        row.saturating_mul(self.width).saturating_add(column)
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        self.values
            .get(self.index(row, column))
            .copied()
            .unwrap_or_default()
    }

    fn set(&mut self, row: usize, column: usize, value: f64) {
        let index = self.index(row, column);
        if let Some(place) = self.values.get_mut(index) {
            *place = value;
        }
    }

    fn add(&mut self, factor: f64, other: &Self) {
        for (value, other) in self.values.iter_mut().zip(&other.values) {
            *value += factor * other;
        }
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = Self::zero(self.width);
        let rows = self.values.chunks_exact(self.width);
        for (row, target) in rows.zip(product.values.chunks_exact_mut(self.width)) {
            for (factor, line) in row.iter().zip(other.values.chunks_exact(self.width)) {
                if *factor > 0.0 {
                    target
                        .iter_mut()
                        .zip(line)
                        .for_each(|(value, other)| *value += factor * other);
                }
            }
        }
        product
    }
}
