CREATE TABLE campaigns (
  id         text COLLATE "C" PRIMARY KEY,
  state      text COLLATE "C" NOT NULL,
  record     jsonb NOT NULL,
  request    jsonb NOT NULL,
  seed       bigint NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  created_by text NOT NULL
);
CREATE INDEX campaigns_state   ON campaigns (state, created_at DESC);
CREATE INDEX campaigns_created ON campaigns (created_at DESC, id);

-- The printers of a campaign. `place` is what the draw gave; `exposure` numbers the printers in the order in which they
-- began to install; `outcome` is what the end of the execution said of the release.
CREATE TABLE campaign_targets (
  campaign  text COLLATE "C" NOT NULL REFERENCES campaigns (id),
  printer   text COLLATE "C" NOT NULL,
  stratum   text NOT NULL,
  place     double precision NOT NULL,
  state     text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'dispatched', 'ended', 'excluded')),
  reason    text,
  execution text COLLATE "C",
  exposure  bigint,
  outcome   text,
  ended     text,
  tries     integer NOT NULL DEFAULT 0,
  PRIMARY KEY (campaign, printer)
);
CREATE INDEX campaign_targets_place   ON campaign_targets (campaign, state, place);
CREATE INDEX campaign_targets_printer ON campaign_targets (printer) WHERE state IN ('waiting', 'dispatched');

-- The first event of each code on each printer of a campaign: what the cohort test counts.
CREATE TABLE campaign_events (
  campaign text COLLATE "C" NOT NULL,
  code     text COLLATE "C" NOT NULL,
  printer  text COLLATE "C" NOT NULL,
  runs_it  boolean NOT NULL,
  PRIMARY KEY (campaign, code, printer)
);
