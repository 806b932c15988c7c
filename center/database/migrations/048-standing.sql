-- Whether a printer takes part. One that was retired or whose credentials were revoked is kept and shown, and is neither
-- counted nor updated. `device`: the agent that speaks for the printer is connected and cannot reach the device.
ALTER TABLE printers
  ADD COLUMN standing        text COLLATE "C" NOT NULL DEFAULT 'active'
                             CHECK (standing IN ('active', 'retired', 'revoked')),
  ADD COLUMN standing_at     timestamptz,
  ADD COLUMN standing_reason text,
  ADD COLUMN device          text COLLATE "C" CHECK (device IN ('reachable', 'unreachable')),
  ADD COLUMN device_at       timestamptz;
UPDATE printers p SET standing = 'revoked', standing_at = c.revoked_at
  FROM credentials c WHERE c.name = p.id AND c.role = 'printer' AND c.revoked_at IS NOT NULL;
CREATE INDEX printers_standing ON printers (id) WHERE standing <> 'active';
