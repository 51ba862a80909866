"""What does each shop system send, how does it sign it, and when is it the same delivery again?

Owns the one shape that all adapters have and the list of them. Adding a shop system is one file and one line here. The
adapters are written from the systems' documentation and have not been tried against a live shop.
"""

from web.shops.systems import shopify, shopware, standard, woocommerce
from web.shops.systems.shape import Received, System

SYSTEMS: dict[str, System] = {each.kind: each for each in (
    shopify.SYSTEM, woocommerce.SYSTEM, shopware.SYSTEM, standard.SYSTEM)}

__all__ = ["SYSTEMS", "Received", "System"]
