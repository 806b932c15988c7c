-- To find what is beyond the retention without reading all that isn't.
CREATE INDEX audit_at          ON audit      USING brin (at);
CREATE INDEX troubles_ended    ON troubles   (updated_at) WHERE state IN ('cured', 'cleared', 'closed');
CREATE INDEX executions_ended  ON executions (ended_at)   WHERE ended_at IS NOT NULL;
