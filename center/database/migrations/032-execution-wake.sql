-- When an execution must be looked at although nothing happens: one look takes all that are due, so that thousands of
-- orders given out in the same second need one delayed job and not thousands.
ALTER TABLE executions ADD COLUMN wake_at timestamptz;
UPDATE executions SET wake_at = now() WHERE ended_at IS NULL;
CREATE INDEX executions_wake ON executions (wake_at) WHERE ended_at IS NULL;
