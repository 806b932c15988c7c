-- What operators do about a trouble: who looks after it, who has seen it, and until when nobody is to be notified.
ALTER TABLE troubles ADD COLUMN owner text COLLATE "C", ADD COLUMN acknowledged jsonb, ADD COLUMN snoozed jsonb;
CREATE INDEX troubles_owner   ON troubles (owner, opened_at DESC, id DESC) WHERE owner IS NOT NULL;
-- Snoozes by their end; the times are of one form, so that their texts sort as they do.
CREATE INDEX troubles_snoozed ON troubles ((snoozed->>'until' COLLATE "C")) WHERE snoozed IS NOT NULL;
