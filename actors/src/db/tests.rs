mod alerts;
mod budgets;
mod keys;
mod leases;
mod postgres;
mod prices;
mod sqlite;
mod usage;
