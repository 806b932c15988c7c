-- What time it was at least when the store was last looked after: the machine's clock alone decides about nothing that
-- can't be undone. Null until the first look.
CREATE TABLE store_clock (
  single     boolean PRIMARY KEY DEFAULT true CHECK (single),
  trusted_at timestamptz
);
INSERT INTO store_clock DEFAULT VALUES;

-- Partitions that are kept longer than their own times say, because the clock was wrong when they were written.
CREATE TABLE kept_partitions (
  name      text COLLATE "C" PRIMARY KEY,
  kept_from timestamptz NOT NULL
);
