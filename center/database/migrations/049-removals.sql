-- Printers that are being removed. The mark stands from the first step to the last, so that a start after a kill
-- finishes what was begun; nobody enrols such a printer until it is gone.
CREATE TABLE removals (
  printer text COLLATE "C" PRIMARY KEY,
  at      timestamptz NOT NULL
);
