-- What is known of each release over all campaigns, and which number each order has in it until it ends.
CREATE TABLE release_evidence (
  release text COLLATE "C" PRIMARY KEY,
  record  jsonb NOT NULL
);
CREATE TABLE release_exposures (
  release   text COLLATE "C" NOT NULL,
  execution text COLLATE "C" NOT NULL,
  number    bigint NOT NULL,
  PRIMARY KEY (execution, release)
);
CREATE INDEX release_exposures_release ON release_exposures (release);

-- Orders that campaigns have out: few, whatever the campaigns' size.
CREATE INDEX campaign_targets_out ON campaign_targets (campaign) WHERE state = 'dispatched';
