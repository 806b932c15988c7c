-- Why a printer is left out of a campaign, in words; `reason` is the same as a code.
ALTER TABLE campaign_targets ADD COLUMN why text;
