"""Do the counters agree with the ledger?"""
