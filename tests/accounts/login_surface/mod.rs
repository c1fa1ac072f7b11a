//! Every way in, at once: the real use cases against a small model, over any sequence of steps; and every route that can
//! yield a session or a challenge, over real HTTP.

mod audit;
mod model;
mod routes;
mod system;

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use model::{By, Code, From, Model, Role, Stage, Start, Step, Transition, Typed};
use system::System;

struct Told;

impl ReferenceStateMachine for Told {
    type State = Model;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Model> {
        let start = prop_oneof![2 => Just(Start::Active), 1 => Just(Start::Ordered), 4 => Just(Start::WithSecondStep)];
        start.prop_map(Model::new).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Transition> {
        match model.stage {
            Stage::Invited => prop_oneof![3 => once(admission()), 1 => mails(), 1 => login(), 1 => once(anything())].boxed(),
            Stage::Active if model.has_second_step() => {
                prop_oneof![6 => login(), 5 => codes(), 1 => mails(), 3 => once(links()), 3 => once(anything()), 2 => once(wait())]
                    .boxed()
            }
            Stage::Active => {
                prop_oneof![6 => login(), 1 => mails(), 3 => once(links()), 3 => once(enrolment()), 3 => once(anything()), 2 => once(wait())]
                    .boxed()
            }
            Stage::Deleted => prop_oneof![2 => login(), 2 => once(links()), 2 => once(anything()), 1 => once(wait())].boxed(),
        }
    }

    fn apply(model: Model, transition: &Transition) -> Model {
        model.after(transition)
    }
}

fn once(step: impl Strategy<Value = Step>) -> impl Strategy<Value = Transition> {
    step.prop_map(|step| Transition { times: 1, step })
}

fn back() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0_usize), 1 => 1..4_usize]
}

fn from() -> impl Strategy<Value = From> {
    prop_oneof![
        2 => Just(From::Unknown),
        2 => (0..3_u8).prop_map(From::Machine),
        5 => (0..3_usize).prop_map(From::Device),
        1 => Just(From::Foreign),
    ]
}

fn by() -> impl Strategy<Value = By> {
    (back(), from()).prop_map(|(session, from)| By { session, from })
}

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![5 => Just(Typed::Right), 1 => Just(Typed::Former), 1 => Just(Typed::Wrong)]
}

fn code() -> impl Strategy<Value = Code> {
    let recovery = (0..2_usize, 0..4_usize);
    prop_oneof![
        4 => (-2..=2_i64).prop_map(Code::App),
        2 => Just(Code::Wrong),
        3 => recovery.prop_map(|(lists_ago, number)| Code::Recovery { lists_ago, number }),
    ]
}

/// One try, or several of a wrong one.
fn login() -> impl Strategy<Value = Transition> {
    let try_once = (from(), typed(), proptest::option::of(code()));
    let hammered = (1..=7_u8, from());
    prop_oneof![
        2 => once(try_once.prop_map(|(from, password, code)| Step::LogIn { from, password, code })),
        1 => hammered.prop_map(|(times, from)| {
            let password = Typed::Wrong;
            Transition { times, step: Step::LogIn { from, password, code: None } }
        }),
    ]
}

/// The second step, with the password or after it.
fn codes() -> impl Strategy<Value = Transition> {
    let answer = (from(), back(), code());
    let hammered = (1..=7_u8, from(), any::<bool>());
    prop_oneof![
        3 => once(answer.prop_map(|(from, challenge, code)| Step::Answer { from, challenge, code })),
        2 => hammered.prop_map(|(times, from, at_once)| {
            let (password, code) = (Typed::Right, Code::Wrong);
            let step = match at_once {
                true => Step::LogIn { from, password, code: Some(code) },
                false => Step::Answer { from, challenge: 0, code },
            };
            Transition { times, step }
        }),
    ]
}

fn links() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::AskReset),
        1 => (back(), from()).prop_map(|(link, from)| Step::OpenReset { link, from }),
        2 => back().prop_map(|link| Step::FollowReset { link }),
    ]
}

fn enrolment() -> impl Strategy<Value = Step> {
    prop_oneof![
        (by(), typed()).prop_map(|(by, password)| Step::Propose { by, password }),
        (by(), code()).prop_map(|(by, code)| Step::Confirm { by, code }),
    ]
}

fn admission() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => back().prop_map(|link| Step::Activate { link }),
        1 => Just(Step::SendActivation),
        2 => role().prop_map(Step::Convert),
        1 => wait(),
    ]
}

/// Mails beyond what one hour allows.
fn mails() -> impl Strategy<Value = Transition> {
    let step = prop_oneof![2 => Just(Step::SendActivation), 1 => Just(Step::AskReset)];
    (1..=7_u8, step).prop_map(|(times, step)| Transition { times, step })
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Administrator), Just(Role::User)]
}

/// Across each limit and right up to it; and a clock that is put back.
fn wait() -> impl Strategy<Value = Step> {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let short = [29, 30, 60, 5 * MINUTE - 1, 5 * MINUTE, 15 * MINUTE - 1, 15 * MINUTE];
    let long = [HOUR - 1, HOUR, 2 * HOUR, 12 * HOUR, DAY - 1, DAY, 91 * DAY, 180 * DAY];
    let put_back = [-30, -MINUTE, -20 * MINUTE, -2 * HOUR];
    let of = |moments: &[i64]| proptest::sample::select(moments.to_vec());
    prop_oneof![6 => of(&short), 2 => of(&long), 2 => of(&put_back)].prop_map(Step::Wait)
}

fn anything() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => own_account(),
        2 => (0..3_usize).prop_map(|device| Step::ForgetDevice { device }),
        1 => Just(Step::ForgetDevices),
        1 => back().prop_map(|session| Step::RevokeSession { session }),
        2 => Just(Step::EndSessions),
        3 => Just(Step::Release),
        1 => Just(Step::LoseSecond),
        1 => back().prop_map(|link| Step::Activate { link }),
        1 => Just(Step::SendActivation),
        1 => role().prop_map(Step::Convert),
        1 => role().prop_map(Step::ChangeRole),
        1 => prop_oneof![2 => Just(Step::Delete), 1 => Just(Step::Erase)],
    ]
}

fn own_account() -> impl Strategy<Value = Step> {
    (by(), typed(), code(), 0..7_u8).prop_map(|(by, password, code, which)| match which {
        0 | 1 => Step::ChangePassword { by, password },
        2 => Step::Propose { by, password },
        3 => Step::Confirm { by, code },
        4 => Step::Disable { by, password, code },
        5 => Step::ReplaceRecovery { by, password, code },
        _ => Step::LogOut { session: by.session },
    })
}

impl StateMachineTest for Told {
    type SystemUnderTest = System;
    type Reference = Self;

    fn init_test(model: &Model) -> System {
        let mut system = System::start(model.start);
        system.agrees_with(model);
        system
    }

    fn apply(system: System, model: &Model, transition: Transition) -> System {
        let (mut system, said) = system.after(&transition);
        if let Some(said) = said {
            assert_eq!(said, model.said, "{transition:?} was answered otherwise than by the model");
        }
        system.agrees_with(model);
        system
    }

    fn teardown(system: System, model: Model) {
        system.ends_as(&model);
    }
}

prop_state_machine! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, ..ProptestConfig::with_cases(200) })]

    /// Whatever happens to an account, in whatever order and by whatever clock: every try is answered as the model says, the
    /// model's sessions speak and no other does, no count goes beyond seven, and the log alone says the same.
    #[test]
    fn no_sequence_of_steps_gets_anybody_in_otherwise_than_the_rules_say(sequential 1..60 => Told);
}
