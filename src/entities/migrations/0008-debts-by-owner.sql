-- Whether a wallet's owner owes something is asked for every wallet that a commit locks. Few owe anything, so an index
-- of the debts alone is nearly empty, and looking into it costs a fraction of a look into that of all wallets.

CREATE INDEX wallet_debt ON wallet (owner_id, currency) WHERE kind = 'debt';
