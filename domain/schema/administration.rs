//! The stored form of the acts of administration.

use crate::Moment;
use crate::administration::{Event, ExportNotice, RestoreNotice, ServerKeyNotice};
use crate::fact::StaffRole;
use crate::policies::in_force::PoliciesInForce;

stored_events!(Administration:
    "token-created" => TokenCreated {
        token as "token_id": String,
        name as "name": String,
        role as "role": Option<StaffRole>,
        scopes as "scopes": Vec<String>,
        created_at as "created_at": Moment,
        expires_at as "expires_at": Option<Moment>,
        by as "by": Option<String>,
    },
    "token-rotated" => TokenRotated {
        token as "token_id": String,
        first as "first_token_id": String,
        name as "name": String,
        created_at as "created_at": Moment,
        expires_at as "expires_at": Option<Moment>,
        by as "by": Option<String>,
    },
    "token-revoked" => TokenRevoked {
        token as "token_id": String,
        name as "name": String,
        revoked_at as "revoked_at": Moment,
        by as "by": Option<String>,
    },
    "server-key-put-in-use" => ServerKeyPutInUse {
        key as "key": ServerKeyNotice,
    },
    "backup-restored" => BackupRestored {
        restore as "restore": RestoreNotice,
    },
    "policies-put-in-force" => PoliciesPutInForce {
        node as "node": String,
        policies as "policies": PoliciesInForce,
    },
    "history-exported" => HistoryExported {
        export as "export": ExportNotice,
    },
);
