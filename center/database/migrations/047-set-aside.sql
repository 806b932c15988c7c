-- A release that a printer has spent its budget on (installations, downloads, orders), or the whole printer when orders
-- have restarted it too often (software and release are '' then). It gets no such order until a person lifts it.
-- `trouble` is null until the trouble that tells of it is open.
CREATE TABLE set_aside (
  printer  text COLLATE "C" NOT NULL,
  software text COLLATE "C" NOT NULL,
  release  text COLLATE "C" NOT NULL,
  spent    text COLLATE "C" NOT NULL CHECK (spent IN ('installations', 'downloads', 'orders', 'restarts')),
  reason   text NOT NULL,
  at       timestamptz NOT NULL,
  trouble  text COLLATE "C",
  PRIMARY KEY (printer, software, release)
);
CREATE INDEX set_aside_untold ON set_aside (printer) WHERE trouble IS NULL;

-- From when on orders count towards a printer's budgets: set when a person lifts what was set aside.
CREATE TABLE budget_starts (
  printer text COLLATE "C" PRIMARY KEY,
  since   timestamptz NOT NULL
);
