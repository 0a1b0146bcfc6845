mod laws;
mod pairs;
mod reasons;
