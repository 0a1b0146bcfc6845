//! From a plan and a request to a chain: every choice but fallback is made here, once.

use std::sync::Arc;
use std::time::SystemTime;

use gateway_wire::json_object::JsonObject;
use serde_json::{Map, Value};

use super::chain::{Chain, Exit, Step};
use super::conditions::Subjects;
use super::strategy::Mode;
use super::{Child, ErrorRule, Node, Plan, Target};

/// What a plan may look at.
pub struct PlanContext<'a> {
    /// The `x-portkey-metadata` header; the config's own `metadata` stands in for what it lacks.
    pub metadata: &'a Map<String, Value>,
    /// The request body.
    pub params: &'a JsonObject,
    /// Looks a client header up by its name.
    pub header: &'a dyn Fn(&str) -> Option<String>,
    /// The request's path.
    pub pathname: &'a str,
    /// The time.
    pub now: SystemTime,
}

/// No branch of a conditional config fits the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Query router did not resolve to any valid target")]
pub struct NoTarget;

impl Plan {
    /// The chain that a request follows. `random` gives numbers in 0..1; `is_open` tells targets whose circuit is open,
    /// which are passed over while another is left.
    ///
    /// # Errors
    /// Where a conditional strategy resolves to nothing.
    pub fn chain(
        &self,
        context: &PlanContext<'_>,
        random: &mut dyn FnMut() -> f64,
        is_open: &dyn Fn(&Target) -> bool,
    ) -> Result<Chain, NoTarget> {
        let merged;
        let own;
        let mut context = context;
        if !self.metadata.is_empty() {
            let mut metadata = self.metadata.clone();
            metadata.extend(context.metadata.iter().map(|(name, value)| (name.clone(), value.clone())));
            merged = metadata;
            own = PlanContext { metadata: &merged, ..*context };
            context = &own;
        }
        let picked = pick(&self.root, &Subjects::new(context), random, is_open)?;
        let mut steps = Vec::new();
        flatten(&picked, &[], &mut steps);
        Ok(Chain { steps })
    }
}

/// A tree in which only fallback is left to be decided.
enum Picked<'a> {
    Target(&'a Arc<Target>),
    Fallback(Vec<(Picked<'a>, &'a ErrorRule)>),
}

fn pick<'a>(
    node: &'a Node,
    request: &Subjects<'_>,
    random: &mut dyn FnMut() -> f64,
    is_open: &dyn Fn(&Target) -> bool,
) -> Result<Picked<'a>, NoTarget> {
    let (mode, children) = match node {
        Node::Leaf(target) => return Ok(Picked::Target(target)),
        Node::Branch { mode, children } => (mode, children),
    };
    let chosen = match mode {
        Mode::Fallback { .. } => {
            let picked = |child: &'a Child| Ok((pick(&child.node, request, random, is_open)?, &child.rule));
            return children.iter().map(picked).collect::<Result<_, _>>().map(Picked::Fallback);
        }
        Mode::Single => children.first(),
        Mode::Loadbalance { sticky } => {
            let claims = sticky.as_ref().and_then(|sticky| sticky.claims(request.context(), children.len()));
            balanced(children, claims, random, is_open)
        }
        Mode::Conditional { conditions, default } => {
            let fitting = conditions.iter().find(|branch| branch.condition.holds(request)).map(|branch| &branch.then);
            let name = fitting.or(default.as_ref()).ok_or(NoTarget)?;
            children.iter().find(|child| child.name.as_ref() == Some(name))
        }
    };
    pick(&chosen.ok_or(NoTarget)?.node, request, random, is_open)
}

/// One child by weight; equal weights where all are zero.
fn balanced<'a>(
    children: &'a [Child],
    claims: Option<Vec<f64>>,
    random: &mut dyn FnMut() -> f64,
    is_open: &dyn Fn(&Target) -> bool,
) -> Option<&'a Child> {
    let all_zero = children.iter().all(|child| child.weight == 0.0);
    let share = |child: &Child| if all_zero { 1.0 } else { child.weight };
    let usable = |child: &&Child| share(child) > 0.0 && !is_all_open(&child.node, is_open);
    let some_usable = children.iter().any(|child| usable(&child));
    let fit = |child: &&Child| if some_usable { usable(child) } else { share(child) > 0.0 };
    if let Some(claims) = claims {
        // Weighted rendezvous hashing: the greatest of -weight / ln(claim).
        let score = |child: &Child, claim: f64| -share(child) / claim.ln();
        let scored = children.iter().zip(claims).filter(|(child, _)| fit(child));
        let best = scored.map(|(child, claim)| (score(child, claim), child)).max_by(|a, b| a.0.total_cmp(&b.0));
        return best.map(|(_, child)| child);
    }
    let total: f64 = children.iter().filter(fit).map(share).sum();
    let mut left = random() * total;
    let mut last = None;
    for child in children.iter().filter(fit) {
        last = Some(child);
        left -= share(child);
        if left < 0.0 {
            break;
        }
    }
    last
}

fn is_all_open(node: &Node, is_open: &dyn Fn(&Target) -> bool) -> bool {
    match node {
        Node::Leaf(target) => is_open(target),
        Node::Branch { mode: Mode::Single, children } => {
            children.first().is_some_and(|child| is_all_open(&child.node, is_open))
        }
        Node::Branch { children, .. } => children.iter().all(|child| is_all_open(&child.node, is_open)),
    }
}

/// Lays the targets out in order; each gets the exits of the fallbacks around it, the innermost first.
fn flatten(picked: &Picked<'_>, exits: &[Exit], steps: &mut Vec<Step>) {
    match picked {
        Picked::Target(target) => steps.push(Step { target: (*target).clone(), exits: exits.to_vec() }),
        Picked::Fallback(children) => {
            for (at, (child, rule)) in children.iter().enumerate() {
                let mut own = Vec::with_capacity(exits.len() + 1);
                if at + 1 < children.len() {
                    own.push(Exit { rule: (*rule).clone(), next: steps.len() + targets(child) });
                }
                own.extend_from_slice(exits);
                flatten(child, &own, steps);
            }
        }
    }
}

fn targets(picked: &Picked<'_>) -> usize {
    match picked {
        Picked::Target(_) => 1,
        Picked::Fallback(children) => children.iter().map(|(child, _)| targets(child)).sum(),
    }
}
