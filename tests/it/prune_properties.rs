//! Properties of pruning: random sites that share a host lose random documents, with every setting of prune.

use crate::properties::cases;
use crate::reconcile_support::*;
use bayplan::driver::faulty::{Fault, Faulty, Side};
use bayplan::driver::memory::Memory;
use bayplan::model::desired::Desired;
use bayplan::model::key::{Key, Kind};
use bayplan::model::object::{Object, Profile, Site, Spec};
use bayplan::model::prune::{Deletion, Prune, PruneEmpty, PruneMode};
use bayplan::model::record::{Owner, Record, RootIdentity};
use bayplan::model::share::Share;
use bayplan::model::step::Action;
use bayplan::model::time_span::TimeSpan;
use bayplan::reconcile::goal::{DeletionApproval, Goal, PlanOptions};
use bayplan::reconcile::plan::Plan;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What two sites declare, and what the first one stops declaring.
#[derive(Debug, Clone)]
struct Removal {
    prune: Prune,
    approval: DeletionApproval,
    /// For each container: its deletion, whether it is ephemeral, its network, which other it needs.
    containers: Vec<(Option<Deletion>, bool, usize, Option<usize>)>,
    /// The other site's containers: the network that each is on.
    others: Vec<usize>,
    /// By place, in the order of the first site's keys.
    removed: BTreeSet<usize>,
}

fn removal() -> impl Strategy<Value = Removal> {
    let mode = prop::sample::select(vec![PruneMode::Off, PruneMode::Confirm, PruneMode::Auto]);
    let max = prop_oneof![(1_u32..=100).prop_map(Share::Percent), (0_u32..12).prop_map(Share::Number)];
    let empty = prop::sample::select(vec![PruneEmpty::Refuse, PruneEmpty::Allow]);
    let prune = (mode, max, empty, 1_u64..1_000_000).prop_map(|(mode, max, empty, grace)| Prune {
        mode,
        max,
        empty,
        grace: TimeSpan::of_milliseconds(grace),
    });
    let approval = prop_oneof![
        3 => Just(DeletionApproval::None),
        1 => Just(DeletionApproval::Confirmed),
        1 => (0_usize..12).prop_map(DeletionApproval::AtMost),
        1 => Just(DeletionApproval::Any),
    ];
    let deletion = prop::sample::select(vec![
        None,
        None,
        Some(Deletion::Park),
        Some(Deletion::Delete),
        Some(Deletion::Retain),
    ]);
    let container =
        (deletion, prop::bool::weighted(0.1), 0_usize..2, prop::option::weighted(0.3, 0_usize..5));
    (
        prune,
        approval,
        prop::collection::vec(container, 0..6),
        prop::collection::vec(0_usize..2, 0..3),
        prop::collection::btree_set(0_usize..12, 0..9),
    )
        .prop_map(|(prune, approval, containers, others, removed)| Removal {
            prune,
            approval,
            containers,
            others,
            removed,
        })
}

fn on_network(number: usize) -> bayplan::model::object::Container {
    let mut made = container();
    let network = format!("lan{number}");
    let nic = device(bayplan::model::object::DeviceType::Nic, &[("network", network.as_str())]);
    made.devices.insert("eth0".to_owned(), nic);
    made
}

impl Removal {
    /// The first site, whole.
    fn whole(&self) -> Desired {
        let mut desired = site(&[]);
        let settings = Site { prune: self.prune.clone(), ..Site::default() };
        desired.objects.insert(Key::site("edge"), object(Spec::Site(settings)));
        for number in 0..2 {
            let address = format!("10.{}.0.1/24", 100 + number);
            desired.objects.insert(Key::network(format!("lan{number}")), network(&address));
        }
        desired.objects.insert(Key::pool("fast"), pool());
        desired.objects.insert(Key::profile("plain"), object(Spec::Profile(Profile::default())));
        for (number, (deletion, ephemeral, network, needs)) in self.containers.iter().enumerate() {
            let mut made = on_network(*network);
            made.ephemeral = *ephemeral;
            let needs = needs.filter(|needs| *needs < number);
            made.depends_on = needs.map(|needs| Key::container(format!("c{needs}"))).into_iter().collect();
            if number.is_multiple_of(2) {
                let options = [("path", "/"), ("pool", "fast")];
                let root = device(bayplan::model::object::DeviceType::Disk, &options);
                made.devices.insert("root".to_owned(), root);
            }
            let mut made = object(Spec::Container(Box::new(made)));
            made.meta.deletion = *deletion;
            desired.objects.insert(Key::container(format!("c{number}")), made);
        }
        desired
    }

    /// It without what was removed, and without what needs that.
    fn less(&self) -> Desired {
        let mut desired = self.whole();
        let own = |key: &Key| key.kind != Kind::Site;
        let keys: Vec<Key> = desired.objects.keys().filter(|key| own(key)).cloned().collect();
        let declared = keys.iter().filter(|key| !desired.builtin.contains(*key));
        let mut gone: BTreeSet<Key> = declared
            .enumerate()
            .filter(|(at, _)| self.removed.contains(at))
            .map(|(_, key)| key.clone())
            .collect();
        loop {
            let needs = |object: &Object| {
                bayplan::model::references::references(object).iter().any(|key| gone.contains(key))
            };
            let more: Vec<Key> = desired
                .objects
                .iter()
                .filter(|(key, object)| !gone.contains(*key) && needs(object))
                .map(|(key, _)| key.clone())
                .collect();
            if more.is_empty() {
                break;
            }
            gone.extend(more);
        }
        desired.objects.retain(|key, _| !gone.contains(key));
        desired
    }

    /// The second site: it uses the first one's networks, pool and image.
    fn other(&self) -> Desired {
        let mut desired = Desired { site: "core".to_owned(), ..Desired::default() };
        desired.objects.insert(Key::site("core"), object(Spec::Site(Site::default())));
        desired.objects.insert(Key::profile("default"), object(Spec::Profile(Profile::default())));
        desired.objects.insert(Key::pool("default"), pool());
        desired.builtin.extend([Key::profile("default"), Key::pool("default")]);
        desired.external.insert(Key::image("tiny"));
        for (number, network) in self.others.iter().enumerate() {
            desired.external.insert(Key::network(format!("lan{network}")));
            let made = object(Spec::Container(Box::new(on_network(*network))));
            desired.objects.insert(Key::container(format!("other{number}")), made);
        }
        desired
    }

    fn host(&self) -> Memory {
        let host = server();
        converge(&host, &Goal::Site(&self.whole()), &options());
        converge(&host, &Goal::Site(&self.other()), &options());
        host
    }

    fn options(&self) -> PlanOptions {
        PlanOptions { deletions: self.approval, ..options() }
    }

    /// What a plan may carry out.
    fn plan(&self, host: &Memory) -> Plan {
        planned(host, &Goal::Site(&self.less()), &self.options())
    }
}

/// Records, roots, and runs with their pids.
type Belongings = (BTreeMap<Key, Record>, Vec<RootIdentity>, BTreeSet<(Key, u32)>);

/// Everything of another site.
fn of_others(host: &Memory) -> Belongings {
    let mine = Owner::Site("edge".to_owned());
    let mut records = look(host).records;
    records.retain(|_, record| record.owner != mine);
    let host = host.host();
    let roots =
        host.roots.into_values().map(|root| root.identity).filter(|root| root.owner != mine).collect();
    let runs = host.runs.into_values().map(|run| (run.run.key, run.pid));
    (records.clone(), roots, runs.filter(|(key, _)| records.contains_key(key)).collect())
}

/// The first site's objects that are in service.
fn in_service(host: &Memory) -> BTreeSet<Key> {
    let mine = Owner::Site("edge".to_owned());
    let records = look(host).records.into_iter();
    records
        .filter(|(key, record)| record.owner == mine && record.parked.is_none() && key.kind != Kind::Site)
        .map(|(key, _)| key)
        .collect()
}

fn at_end_of_grace(removal: &Removal) -> PlanOptions {
    let grace = jiff::SignedDuration::from_millis(removal.prune.grace.milliseconds() as i64);
    PlanOptions { now: Timestamp::from_second(SECOND).unwrap().checked_add(grace).unwrap(), ..options() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn prune_stays_within_its_guards_and_touches_nothing_of_another_site(removal in removal()) {
        let host = removal.host();
        let (others, before) = (of_others(&host), in_service(&host));
        let plan = removal.plan(&host);
        if !plan.guards.is_empty() {
            return Ok(()); // apply ends here; `reconcile` refuses it
        }
        prop_assert!(carry_out(&host, &plan, 2).is_done());
        prop_assert_eq!(&others, &of_others(&host));
        let after = in_service(&host);
        let lost: BTreeSet<&Key> = before.difference(&after).collect();
        let most = match removal.approval {
            DeletionApproval::Any => usize::MAX,
            DeletionApproval::AtMost(most) if most >= lost.len() => most,
            _ => removal.prune.max.of(before.len()),
        };
        prop_assert!(lost.len() <= most, "{} of {most}: {lost:?}", lost.len());
        let may = match removal.prune.mode {
            PruneMode::Off => false,
            PruneMode::Confirm => removal.approval != DeletionApproval::None,
            PruneMode::Auto => true,
        };
        prop_assert!(lost.is_empty() || may, "{lost:?}");
        // What is lost was no longer declared, and an intent told of it; every step of it has its reason.
        let told: BTreeSet<&Key> = plan.prune.iter().flat_map(|intent| &intent.keys).collect();
        let declared = removal.less();
        prop_assert!(lost.iter().all(|key| told.contains(key) && !declared.objects.contains_key(*key)));
        let explained = |step: &&bayplan::model::step::Step| {
            step.reasons.iter().any(|reason| reason.note.as_ref().is_some_and(|note| !note.is_empty()))
        };
        let gone = plan.steps.iter().filter(|step| lost.contains(&&step.key));
        prop_assert!(gone.clone().count() >= lost.len() && gone.clone().all(|step| explained(&step)));
        // Everything that is owned and not declared is accounted for.
        for key in in_service(&host).iter().filter(|key| !declared.objects.contains_key(*key)) {
            let again = removal.plan(&host);
            let waits = again.pending.iter().any(|pending| pending.key == *key);
            prop_assert!(waits || again.kept_because.contains_key(key), "{key}");
        }
        let again = removal.plan(&host);
        prop_assert!(again.is_empty(), "{:#?}", again.steps);
    }

    #[test]
    fn parked_data_survives_until_its_time_and_undelete_is_complete(removal in removal()) {
        let host = removal.host();
        let roots: BTreeMap<_, _> = host.host().roots;
        let any = PlanOptions { deletions: DeletionApproval::Any, ..options() };
        converge(&host, &Goal::Site(&removal.less()), &any);
        let parked: Vec<Key> = look(&host).records.into_iter()
            .filter(|(key, record)| key.kind == Kind::Container && record.parked.is_some())
            .map(|(key, _)| key).collect();
        let kept = |host: &Memory, key: &Key| {
            let now = host.host().roots;
            now.iter().any(|(uuid, root)| root.identity.key == *key && roots.get(uuid) == Some(root))
        };
        prop_assert!(parked.iter().all(|key| kept(&host, key)));
        prop_assert!(host.host().runs.values().all(|run| !parked.contains(&run.run.key)));
        for key in &parked {
            let before = look(&host).records[key].identity.clone();
            if look(&host).records[key].parked.is_some() {
                converge(&host, &Goal::Undelete([key.clone()].into()), &options());
            }
            prop_assert_eq!(&look(&host).records[key].identity, &before);
            prop_assert!(kept(&host, key));
            for goal in [Goal::Recorded, Goal::Site(&removal.less())] {
                let plan = planned(&host, &goal, &any);
                prop_assert!(plan.is_empty(), "{key}: {:#?}", plan.steps);
            }
        }
        // The whole site declared again has everything as it was.
        converge(&host, &Goal::Site(&removal.whole()), &any);
        let plan = planned(&host, &Goal::Site(&removal.whole()), &any);
        prop_assert!(plan.is_empty() && plan.kept.is_empty() && plan.parked.is_empty(), "{plan:#?}");
        let deleted = |key: &Key| {
            let object = &removal.whole().objects[key];
            object.deletion() == Deletion::Delete
        };
        for root in roots.values() {
            let key = &root.identity.key;
            prop_assert!(kept(&host, key) || (key.name.starts_with('c') && deleted(key)), "{key}");
        }
    }

    #[test]
    fn a_crash_anywhere_while_pruning_is_made_good_by_the_next_pass(
        removal in removal(), at in 0_u64..20, after in any::<bool>(), heals in any::<bool>(),
    ) {
        let host = removal.host();
        let any = PlanOptions { deletions: DeletionApproval::Any, ..options() };
        let others = of_others(&host);
        let side = if after { Side::After } else { Side::Before };
        let plan = planned(&host, &Goal::Site(&removal.less()), &any);
        let parks: BTreeSet<Key> = plan.steps.iter()
            .filter(|step| matches!(step.action, Action::Park { .. }) && step.key.kind == Kind::Container)
            .map(|step| step.key.clone()).collect();
        carry_out(&Faulty::new(&host, Fault::Crash { at, side }), &plan, 1);
        if heals {
            converge(&host, &Goal::Recorded, &options());
        }
        converge(&host, &Goal::Site(&removal.less()), &any);
        let again = planned(&host, &Goal::Site(&removal.less()), &any);
        prop_assert!(again.is_empty(), "{:#?}", again.steps);
        prop_assert_eq!(&others, &of_others(&host));
        let roots: BTreeSet<Key> = host.host().roots.into_values().map(|root| root.identity.key).collect();
        prop_assert!(parks.is_subset(&roots), "{parks:?} {roots:?}");
        // At the end of the grace all of it goes, by healing alone.
        converge(&host, &Goal::Recorded, &at_end_of_grace(&removal));
        let records = look(&host).records;
        prop_assert!(records.values().all(|record| record.parked.is_none()), "{records:#?}");
        prop_assert!(planned(&host, &Goal::Recorded, &at_end_of_grace(&removal)).is_empty());
        prop_assert_eq!(&others, &of_others(&host));
    }
}
