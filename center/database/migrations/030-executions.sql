-- One row an execution: one printer that is to install one list of steps. `version` is what compare-and-set compares;
-- `publish_due` says that the retained order has not been brought in line with this row yet.
CREATE TABLE executions (
  id          text COLLATE "C" PRIMARY KEY,
  printer     text COLLATE "C" NOT NULL,
  campaign    text COLLATE "C",
  trouble     text COLLATE "C",
  state       text COLLATE "C" NOT NULL,
  version     bigint NOT NULL DEFAULT 0,
  record      jsonb NOT NULL,
  plan        jsonb NOT NULL,
  publish_due boolean NOT NULL DEFAULT false,
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  ended_at    timestamptz
) WITH (fillfactor = 70);
-- A printer has one execution at a time, whoever wants another: two campaigns can't fight over it.
CREATE UNIQUE INDEX executions_active  ON executions (printer) WHERE ended_at IS NULL;
CREATE INDEX executions_printer        ON executions (printer, created_at DESC);
CREATE INDEX executions_campaign       ON executions (campaign, state);
CREATE INDEX executions_publish_due    ON executions (id) WHERE publish_due;

-- A release that failed on a printer is not offered to it again until somebody lifts the quarantine.
CREATE TABLE quarantine (
  printer   text COLLATE "C" NOT NULL,
  software  text COLLATE "C" NOT NULL,
  release   text COLLATE "C" NOT NULL,
  execution text COLLATE "C" NOT NULL,
  reason    text NOT NULL,
  at        timestamptz NOT NULL,
  PRIMARY KEY (printer, software, release)
);
