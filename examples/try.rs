use bayplan::driver::native::{Layout, Native};
use bayplan::reconcile::{
    self,
    apply::ApplyOptions,
    goal::{Goal, PlanOptions},
    render,
};
use std::path::Path;
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let spawner =
        bayplan::runtime::spawner::Spawner::execute(Path::new("/work/main/target/debug/bayplan")).unwrap();
    let layout = Layout::new(Path::new(&args[0]), None).unwrap();
    let native = Native::new(layout, spawner, "/work/main/target/debug/bayplan".into()).unwrap();
    let now = jiff::Timestamp::now();
    let options =
        PlanOptions { allow_restart: true, ..PlanOptions::new(now, *uuid::Uuid::new_v4().as_bytes(), "try") };
    let loaded;
    let goal = if args[1] == "delete" {
        use bayplan::driver::Driver;
        Goal::Delete(native.observe(&bayplan::driver::Scope::All).unwrap().records.keys().cloned().collect())
    } else {
        let texts = bayplan::source::read(Some(Path::new(&args[1]))).unwrap();
        loaded = bayplan::spec::load(&texts, &bayplan::spec::LoadContext { architecture: "amd64".into() })
            .unwrap();
        Goal::Site(&loaded.desired)
    };
    let t = std::time::Instant::now();
    let plan = match reconcile::propose(&native, &goal, &options) {
        Ok(p) => p,
        Err(e) => {
            println!("{e:?}");
            return;
        }
    };
    println!("planned {:?}", t.elapsed());
    println!("{}", render::plan_text(&plan, Default::default()));
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let t = std::time::Instant::now();
    let report = reconcile::apply::apply(
        &native,
        &plan,
        &ApplyOptions { workers: 2, cancel: &cancel, deadline: None, progress: &|_| {}, now, actor: "try" },
    );
    println!("applied {:?}", t.elapsed());
    println!("{}", render::report_text(&report, Default::default()));
}
