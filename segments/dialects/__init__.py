"""Where does SQL differ from engine to engine? Everything else writes one statement for all of them."""
