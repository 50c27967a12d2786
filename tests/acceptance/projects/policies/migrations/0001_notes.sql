CREATE TABLE notes (
    id serial PRIMARY KEY, owner text NOT NULL, tenant text, body text NOT NULL, secret text NOT NULL DEFAULT 'hidden'
);
CREATE TABLE counts (owner text PRIMARY KEY, notes int NOT NULL DEFAULT 0);

-- What the team's own triggers write is recorded, too, and whose it is. They run as whoever fires them.
CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO counts (owner, notes) VALUES (NEW.owner, 1)
    ON CONFLICT (owner) DO UPDATE SET notes = counts.notes + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER counted AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION counted();
