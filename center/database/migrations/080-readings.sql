-- What printers count and what is left in them. Raw readings by the center's clock, in partitions of a day that are
-- dropped whole; a reading that comes again is known by its session and number (reading_states), not by a key here.
CREATE TABLE readings (
  printer  text COLLATE "C" NOT NULL,
  received timestamptz NOT NULL,
  at       timestamptz NOT NULL,
  session  text NOT NULL,
  number   bigint NOT NULL,
  document jsonb NOT NULL
) PARTITION BY RANGE (received);
CREATE INDEX readings_printer ON readings (printer, received);

-- What is known of each printer's readings: the latest of everything, and what the next reading is compared with.
CREATE TABLE reading_states (
  printer  text COLLATE "C" PRIMARY KEY,
  at       timestamptz NOT NULL,
  received timestamptz NOT NULL,
  document jsonb NOT NULL
) WITH (fillfactor = 70);

-- A row a printer and day of its own zone. `impressions` stands apart because most reports are of it.
CREATE TABLE printer_days (
  printer     text COLLATE "C" NOT NULL,
  day         date NOT NULL,
  readings    integer NOT NULL,
  first_at    timestamptz NOT NULL,
  last_at     timestamptz NOT NULL,
  resets      integer NOT NULL,
  gap_days    integer NOT NULL,
  impressions bigint,
  counters    jsonb NOT NULL,
  PRIMARY KEY (printer, day)
) WITH (fillfactor = 80);
CREATE INDEX printer_days_day ON printer_days USING brin (day) WITH (pages_per_range = 32);

-- Every supply from the moment it was first seen to its exchange; `until_at` is missing while it is in the printer.
CREATE TABLE supply_intervals (
  printer     text COLLATE "C" NOT NULL,
  symbol      text COLLATE "C" NOT NULL,
  since_at    timestamptz NOT NULL,
  until_at    timestamptz,
  kind        text COLLATE "C" NOT NULL,
  color       text COLLATE "C",
  model       text,
  serial      text,
  since_left  real,
  last_left   real,
  state       text,
  exchange    text,
  -- When it will be empty, with an interval; missing while nobody can say.
  ends_at     timestamptz,
  ends_low    timestamptz,
  ends_high   timestamptz,
  document    jsonb NOT NULL,
  PRIMARY KEY (printer, symbol, since_at)
) WITH (fillfactor = 80);
CREATE INDEX supply_intervals_current ON supply_intervals (printer, symbol) WHERE until_at IS NULL;
CREATE INDEX supply_intervals_ends    ON supply_intervals (ends_at) WHERE until_at IS NULL;
CREATE INDEX supply_intervals_ended   ON supply_intervals (until_at) WHERE until_at IS NOT NULL;
