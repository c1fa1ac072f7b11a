-- Who made and who revoked a token: users of the operators' systems, if known.
ALTER TABLE loquet.service_tokens ADD COLUMN created_by text, ADD COLUMN revoked_by text;
