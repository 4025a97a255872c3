use super::*;

/// A disk array of one group: `disks`, of which any `survived` may fail, repaired one after another. Times in hours.
fn group(disks: u16, survived: u16, life: f64, repair: f64) -> BirthDeath {
    let up = (0..=survived).map(|failed| f64::from(disks - failed) / life);
    BirthDeath::new(up.collect(), vec![1.0 / repair; usize::from(survived)])
}

fn assert_close(found: f64, expected: f64, tolerance: f64) {
    let off = (found - expected).abs() / expected.abs();
    assert!(
        off <= tolerance,
        "{found} is not within {tolerance} of {expected}"
    );
}

/// Patterson, Gibson, Katz, "A Case for Redundant Arrays of Inexpensive Disks", SIGMOD 1988, tables II and IV: 100 data
/// disks, each lasting 30,000 hours and repaired within one.
#[test]
fn raid_of_1988_lasts_as_long_as_published() {
    for (groups, disks, published) in [
        (100.0, 2, 4_500_000.0),
        (10.0, 11, 820_000.0),
        (4.0, 26, 346_000.0),
    ] {
        let found = group(disks, 1, 30_000.0, 1.0).mean_time() / groups;
        assert_close(found, published, 0.005);
    }
}

/// Chen, Lee, Gibson, Katz, Patterson, "RAID: High-Performance, Reliable Secondary Storage", Computing Surveys 1994, section
/// 3.4: 107 disks in groups of 16, lasting 200,000 hours, the second of a group 20,000; repaired within one hour. Two
/// failures come after 285 years; within ten years with 3.4 %.
#[test]
fn raid_of_1994_lasts_as_long_as_published() {
    let (groups, hours) = (107.0 / 16.0, 8_760.0);
    let chain = BirthDeath::new(vec![16.0 / 200_000.0, 15.0 / 20_000.0], vec![1.0]);
    assert_close(chain.mean_time() / groups / hours, 285.0, 0.003);
    let one_group = chain.absorbed_within(10.0 * hours);
    let all = 1.0 - (1.0 - one_group).powf(groups);
    assert!((0.0335..0.0346).contains(&all), "{all}");
}

/// Weatherspoon and Kubiatowicz, "Erasure Coding vs. Replication", IPTPS 2002, section 3: a tenth of all machines is down. Two
/// copies are there with two nines; 8 of 16 fragments with 0.999994; 16 of 32 better again by a factor of some 4,000.
#[test]
fn fragments_are_available_as_published() {
    let (copies, sixteen, thirty_two) = (at_least(2, 2, 0.1), at_least(16, 9, 0.1), at_least(32, 17, 0.1));
    assert_close(1.0 - copies, 0.99, 1e-12);
    assert_eq!(format!("{:.6}", 1.0 - sixteen), "0.999994");
    assert_close(sixteen / thirty_two, 4_000.0, 0.2);
}

/// The mean times of one and of two parities, solved by hand.
#[test]
fn mean_times_agree_with_the_closed_forms() {
    let (life, repair) = (50_000.0, 24.0);
    for disks in [3, 5, 10, 64] {
        let (n, l, m) = (f64::from(disks), 1.0 / life, 1.0 / repair);
        let one = ((2.0 * n - 1.0) * l + m) / (n * (n - 1.0) * l * l);
        assert_close(group(disks, 1, life, repair).mean_time(), one, 1e-12);
        let (a, b, c) = (n * l, (n - 1.0) * l, (n - 2.0) * l);
        let two = 1.0 / a + (1.0 + m / a) / b + (1.0 + m / b * (1.0 + m / a)) / c;
        assert_close(group(disks, 2, life, repair).mean_time(), two, 1e-12);
        // Chen et al. 1994 leave the small terms out.
        let short = life.powi(3) / (n * (n - 1.0) * (n - 2.0) * repair * repair);
        assert_close(two, short, 0.15);
    }
}

/// Without repair, the chance to lose everything is a binomial tail, whatever the time.
#[test]
fn without_repair_losses_are_binomial() {
    let loss = 0.7;
    for (members, survived) in [(4, 1), (10, 3), (31, 20)] {
        let up = (0..=survived)
            .map(|lost| f64::from(members - lost) * loss)
            .collect();
        let chain = BirthDeath::new(up, Vec::new());
        for time in [1e-4, 0.03, 1.0, 5.0] {
            let gone = 1.0 - (-loss * time).exp();
            assert_close(
                chain.absorbed_within(time),
                at_least(members, survived + 1, gone),
                1e-9,
            );
        }
    }
}

/// Long after its start a chain ends at the rate of its mean time.
#[test]
fn chances_and_mean_times_agree() {
    let chain = group(9, 2, 10_000.0, 100.0);
    let mean = chain.mean_time();
    for part in [0.3, 1.0, 4.0] {
        assert_close(chain.absorbed_within(part * mean), 1.0 - (-part).exp(), 0.02);
    }
}

struct Numbers(u64);

impl Numbers {
    /// Above 0, at most 1 (splitmix64).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 + 1.0) / (1u64 << 53) as f64
    }

    fn exponential(&mut self, mean: f64) -> f64 {
        -self.uniform().ln() * mean
    }
}

/// One life of a network, every member by itself: years until fewer than k honest members have their share.
fn live(risks: &Risks, numbers: &mut Numbers) -> f64 {
    let rates = [yearly_rate(risks.disk_loss), yearly_rate(risks.damage)];
    let (repair, replace) = (years(risks.repair), years(risks.replace));
    let mut held: Vec<(bool, f64)> = Vec::new();
    let loss = |numbers: &mut Numbers| numbers.exponential(1.0 / (rates[0] + rates[1]));
    for _ in 0..risks.honest() {
        held.push((true, loss(numbers)));
    }
    loop {
        let next = held.iter_mut().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        let now = next.1;
        if next.0 {
            let is_disk = numbers.uniform() * (rates[0] + rates[1]) < rates[0];
            // Damage falls anywhere into a pass of the scrub; nothing here is exponential.
            let waits = if is_disk {
                replace
            } else {
                numbers.uniform() * years(risks.scrub)
            };
            *next = (false, now + waits + repair);
        } else {
            *next = (true, now + loss(numbers));
        }
        let holders = held.iter().filter(|(holds, _)| *holds).count();
        if holders < usize::from(risks.threshold) {
            return now;
        }
    }
}

/// The chain knows one exponential time to restore. Members that live by their own fixed times fare alike.
#[test]
fn simulated_networks_live_as_long_as_calculated() {
    let day = Duration::from_secs(86_400);
    let frail = |members| Risks {
        disk_loss: 0.4,
        damage: 0.3,
        scrub: day * 20,
        replace: day * 14,
        repair: day * 2,
        ..Risks::typical(members)
    };
    let mut numbers = Numbers(7);
    for (risks, lives) in [
        (frail(4), 4_000),
        (
            Risks {
                withholding: 0,
                ..frail(4)
            },
            1_500,
        ),
        (frail(7), 1_500),
        (
            Risks {
                threshold: 5,
                ..frail(7)
            },
            4_000,
        ),
    ] {
        let mean = (0..lives).map(|_| live(&risks, &mut numbers)).sum::<f64>() / f64::from(lives);
        let calculated = assess(&risks).unwrap().years_to_loss;
        assert_close(mean, calculated, 0.1);
    }
}

#[test]
fn shares_that_are_there_and_reachable_open_a_block() {
    // Half of the time lost: half a year to restore, and a loss after half a year.
    let half = Risks {
        disk_loss: 1.0 - (-2.0f64).exp(),
        damage: 0.0,
        replace: Duration::ZERO,
        repair: YEAR / 2,
        offline: 0.2,
        withholding: 1,
        ..Risks::typical(4)
    };
    // 0.4 of 3 are there, 2 are needed.
    let open = 3.0 * 0.4f64.powi(2) * 0.6 + 0.4f64.powi(3);
    assert_close(assess(&half).unwrap().closed, 1.0 - open, 1e-9);
    let reachable = Risks {
        offline: 0.0,
        disk_loss: 0.0,
        ..half
    };
    let durability = assess(&reachable).unwrap();
    assert_eq!((durability.closed, durability.loss_in_a_year), (0.0, 0.0));
    assert_eq!(durability.years_to_loss, f64::INFINITY);
}

#[test]
fn a_leak_needs_k_thefts_between_two_reseals() {
    let yearly = Risks {
        theft: 0.1,
        ..Risks::typical(4)
    };
    let found = assess(&yearly).unwrap();
    // One member of k = 2 is hostile: one theft from the three others is enough.
    assert_close(found.leak_in_a_refresh, 1.0 - 0.9f64.powi(3), 1e-12);
    assert_close(found.leak_in_a_year, found.leak_in_a_refresh, 1e-12);
    let honest = assess(&Risks {
        withholding: 0,
        ..yearly.clone()
    })
    .unwrap();
    let two = 6.0 * 0.01 * 0.81 + 4.0 * 0.001 * 0.9 + 0.0001;
    assert_close(honest.leak_in_a_refresh, two, 1e-12);
    let monthly = Risks {
        withholding: 0,
        refresh: YEAR / 12,
        ..yearly
    };
    let often = assess(&monthly).unwrap();
    assert!(often.leak_in_a_year < honest.leak_in_a_year / 8.0);
    assert_close(
        often.leak_in_a_year,
        1.0 - (1.0 - often.leak_in_a_refresh).powi(12),
        1e-9,
    );
}

#[test]
fn more_members_and_quicker_repair_last_longer() {
    let last = |risks: &Risks| assess(risks).unwrap().years_to_loss;
    let sizes = [4, 7, 10, 16, 31, 64];
    let lives: Vec<f64> = sizes.iter().map(|n| last(&Risks::typical(*n))).collect();
    assert!(lives.is_sorted(), "{lives:?}");
    let four = Risks::typical(4);
    assert!(
        last(&Risks {
            replace: Duration::ZERO,
            ..four.clone()
        }) > last(&four)
    );
    assert!(
        last(&Risks {
            withholding: 0,
            ..four.clone()
        }) > last(&four)
    );
    let seven = Risks::typical(7);
    assert!(
        last(&Risks {
            repairs: Repairs::InTurn,
            ..seven.clone()
        }) < last(&seven)
    );
}

#[test]
fn the_largest_network_is_calculated_too() {
    let most = Risks {
        threshold: 1,
        withholding: 0,
        ..Risks::typical(Risks::MEMBERS_MAX)
    };
    let found = assess(&most).unwrap();
    assert_eq!(found.survived, 127);
    assert!(
        found.loss_in_a_year >= 0.0 && found.loss_in_a_year < 1e-100,
        "{found:?}"
    );
    assert!((0.0..1e-100).contains(&found.closed) && found.leak_in_a_year <= 1.0);
}

#[test]
fn risks_that_make_no_sense_are_refused() {
    let four = Risks::typical(4);
    let members = [(0, 0, 0), (4, 0, 1), (4, 4, 1), (129, 2, 0), (4, 2, 5)];
    for (members, threshold, withholding) in members {
        let risks = Risks {
            members,
            threshold,
            withholding,
            ..four.clone()
        };
        assert_eq!(
            assess(&risks),
            Err(RisksError::Members {
                members,
                threshold,
                withholding
            })
        );
    }
    for chance in [-0.1, 1.0, f64::NAN] {
        let risks = Risks {
            theft: chance,
            ..four.clone()
        };
        assert_eq!(assess(&risks), Err(RisksError::Chance("theft")));
    }
    let quick = Risks {
        repair: Duration::ZERO,
        replace: Duration::ZERO,
        scrub: Duration::ZERO,
        ..four
    };
    assert!(matches!(assess(&quick), Err(RisksError::TooShort(_))));
}
