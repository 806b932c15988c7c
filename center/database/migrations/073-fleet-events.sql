-- What happened in the fleet within the last hour, so that readers of events go on where they were. Unlogged: it is news,
-- not a record, and a crash of the database empties it. Ids come from a sequence that a crash doesn't set back.
CREATE SEQUENCE fleet_event_ids;
CREATE UNLOGGED TABLE fleet_events (
  id      bigint PRIMARY KEY DEFAULT nextval('fleet_event_ids'),
  at      timestamptz NOT NULL,
  kind    text COLLATE "C" NOT NULL,
  printer text COLLATE "C",
  data    text NOT NULL
);
CREATE INDEX fleet_events_at ON fleet_events (at);
