-- To find what is beyond the retention without reading all that isn't.
CREATE INDEX structure_history_received ON structure_history USING brin (received);
CREATE INDEX update_reports_received    ON update_reports    USING brin (received);
