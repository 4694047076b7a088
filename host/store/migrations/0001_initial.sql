-- The schema of SQLite and PostgreSQL. @KEY is text compared byte by byte and
-- @BYTES is binary; migrate.rs puts each database's own spelling in.
--
-- Columns are what is searched, joined or constrained; `body` is the whole
-- record as JSON. `seq` is the ledger entry that recorded the row: it orders
-- rows as they were committed, which clocks do not.

CREATE TABLE ledger (
    seq       BIGINT PRIMARY KEY CHECK (seq > 0),
    previous  @KEY   NOT NULL,
    event     TEXT   NOT NULL,
    subject   TEXT   NOT NULL,
    actor     TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    body      TEXT   NOT NULL,
    hash      @KEY   NOT NULL UNIQUE
);

-- One row: the end of the chain. Writers lock it, so they append in turn.
CREATE TABLE ledger_head (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    seq   BIGINT NOT NULL CHECK (seq >= 0),
    hash  @KEY   NOT NULL
);
INSERT INTO ledger_head (id, seq, hash)
VALUES (1, 0, 'sha256:0000000000000000000000000000000000000000000000000000000000000000');

CREATE TABLE models (
    name          @KEY   PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 128),
    next_version  BIGINT NOT NULL DEFAULT 1 CHECK (next_version > 0),
    body          TEXT   NOT NULL,
    seq           BIGINT NOT NULL REFERENCES ledger (seq)
);

CREATE TABLE plugin_revisions (
    digest     @KEY   PRIMARY KEY,
    plugin     @KEY   NOT NULL CHECK (length(plugin) BETWEEN 1 AND 128),
    component  @KEY   NOT NULL,
    kind       TEXT   NOT NULL CHECK (kind IN ('transform', 'detector', 'action')),
    body       TEXT   NOT NULL,
    seq        BIGINT NOT NULL UNIQUE REFERENCES ledger (seq)
);
CREATE INDEX plugin_revisions_by_plugin ON plugin_revisions (plugin, seq);

CREATE TABLE versions (
    model      @KEY   NOT NULL REFERENCES models (name),
    version    BIGINT NOT NULL CHECK (version > 0),
    artifact   @KEY   NOT NULL,
    transform  @KEY   REFERENCES plugin_revisions (digest),
    body       TEXT   NOT NULL,
    seq        BIGINT NOT NULL REFERENCES ledger (seq),
    PRIMARY KEY (model, version)
);
CREATE INDEX versions_by_artifact ON versions (artifact);
CREATE INDEX versions_by_transform ON versions (transform);

-- A registration makes a revision current; registering an old one again goes
-- back to it. The current one is the last.
CREATE TABLE gate_revisions (
    name    @KEY   NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    digest  @KEY   NOT NULL,
    body    TEXT   NOT NULL,
    seq     BIGINT NOT NULL REFERENCES ledger (seq),
    PRIMARY KEY (name, seq)
);
CREATE INDEX gate_revisions_by_digest ON gate_revisions (digest, seq);

-- Likewise: the current content of a name is the last one registered.
CREATE TABLE datasets (
    name    @KEY   NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    digest  @KEY   NOT NULL,
    body    TEXT   NOT NULL,
    seq     BIGINT NOT NULL REFERENCES ledger (seq),
    PRIMARY KEY (name, seq)
);
CREATE INDEX datasets_by_digest ON datasets (digest);

CREATE TABLE evaluations (
    id              @KEY   PRIMARY KEY,
    model           @KEY   NOT NULL,
    version         BIGINT NOT NULL,
    dataset         @KEY   NOT NULL,
    dataset_digest  @KEY   NOT NULL,
    body            TEXT   NOT NULL,
    seq             BIGINT NOT NULL REFERENCES ledger (seq),
    FOREIGN KEY (model, version) REFERENCES versions (model, version)
);
CREATE INDEX evaluations_by_version ON evaluations (model, version, seq);

-- Entries of one call share a seq and are told apart by position.
CREATE TABLE external_metrics (
    model     @KEY   NOT NULL,
    version   BIGINT NOT NULL,
    name      @KEY   NOT NULL CHECK (length(name) BETWEEN 1 AND 256),
    seq       BIGINT NOT NULL REFERENCES ledger (seq),
    position  BIGINT NOT NULL CHECK (position >= 0),
    body      TEXT   NOT NULL,
    PRIMARY KEY (seq, position),
    FOREIGN KEY (model, version) REFERENCES versions (model, version)
);
CREATE INDEX external_metrics_by_version ON external_metrics (model, version, name, seq, position);

CREATE TABLE endpoints (
    name        @KEY   PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 128),
    settings    TEXT   NOT NULL,
    route       TEXT   NOT NULL,
    generation  BIGINT NOT NULL CHECK (generation >= 0),
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    seq         BIGINT NOT NULL REFERENCES ledger (seq)
);

CREATE TABLE decisions (
    id         @KEY   PRIMARY KEY,
    promotion  @KEY   NOT NULL UNIQUE,
    endpoint   @KEY   NOT NULL REFERENCES endpoints (name),
    effective  TEXT   NOT NULL CHECK (effective IN ('allow', 'deny', 'inconclusive')),
    body       TEXT   NOT NULL,
    seq        BIGINT NOT NULL UNIQUE REFERENCES ledger (seq)
);
CREATE INDEX decisions_by_endpoint ON decisions (endpoint, seq);

CREATE TABLE promotions (
    id          @KEY   PRIMARY KEY,
    endpoint    @KEY   NOT NULL REFERENCES endpoints (name),
    decision    @KEY   NOT NULL UNIQUE REFERENCES decisions (id),
    model       @KEY   NOT NULL,
    version     BIGINT NOT NULL,
    status      TEXT   NOT NULL CHECK (status IN ('promoted', 'denied', 'inconclusive')),
    generation  BIGINT CHECK (generation > 0),
    body        TEXT   NOT NULL,
    seq         BIGINT NOT NULL UNIQUE REFERENCES ledger (seq),
    UNIQUE (endpoint, generation),
    CHECK ((status = 'promoted') = (generation IS NOT NULL)),
    FOREIGN KEY (model, version) REFERENCES versions (model, version)
);
CREATE INDEX promotions_by_endpoint ON promotions (endpoint, seq);

CREATE TABLE tokens (
    id          @KEY   PRIMARY KEY,
    name        @KEY   NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    role        TEXT   NOT NULL CHECK (role IN ('client', 'viewer', 'developer', 'approver', 'admin')),
    secret      @KEY   NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    revoked_at  BIGINT,
    seq         BIGINT NOT NULL REFERENCES ledger (seq)
);
-- A name is free again once its token is revoked.
CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE kept_replies (
    actor    @KEY   NOT NULL,
    key      @KEY   NOT NULL,
    request  @KEY   NOT NULL,
    status   BIGINT NOT NULL CHECK (status BETWEEN 100 AND 999),
    body     @BYTES NOT NULL,
    kept_at  BIGINT NOT NULL,
    PRIMARY KEY (actor, key)
);
CREATE INDEX kept_replies_by_age ON kept_replies (kept_at);
