-- What only the readings before one tell of it (the moment that it counts for, exchanges, when supplies end): rules that
-- judge it again after a restart must see what they saw. Missing in what was stored before, and in what came too late.
ALTER TABLE readings ADD COLUMN derived jsonb;
