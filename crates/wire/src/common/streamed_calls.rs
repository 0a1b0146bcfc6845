//! Which call a part of a stream belongs to (I3).

/// The calls of an answer so far, each with the number that it has for the reader.
#[derive(Debug, Default)]
pub(crate) struct StreamedCalls<N>(Vec<Call<N>>);

#[derive(Debug)]
struct Call<N> {
    /// The vendor's number and id.
    told: Option<u64>,
    id: Option<String>,
    number: N,
}

impl<N: Copy> StreamedCalls<N> {
    /// How many calls there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The calls' numbers, in their order.
    pub fn numbers(&self) -> impl Iterator<Item = N> {
        self.0.iter().map(|call| call.number)
    }

    /// The number of the call that a part belongs to, if that is known: another id under the vendor's number is another
    /// call.
    pub fn find(&mut self, told: Option<u64>, id: Option<&str>) -> Option<N> {
        let same = |call: &Call<N>| call.told == told && call.id.as_deref() == id;
        let known = id.and_then(|_| self.0.iter().rposition(same));
        let at = known.or_else(|| {
            let latest = match told {
                Some(_) => self.0.iter().rposition(|call| call.told == told),
                None => self.0.len().checked_sub(1),
            };
            latest.filter(|at| id.is_none() || self.0.get(*at).is_some_and(|call| call.id.is_none()))
        })?;
        let call = self.0.get_mut(at)?;
        if call.id.is_none() {
            call.id = id.map(str::to_owned);
        }
        Some(call.number)
    }

    /// Takes in a new call.
    pub fn add(&mut self, told: Option<u64>, id: Option<&str>, number: N) {
        self.0.push(Call { told, id: id.map(str::to_owned), number });
    }
}
