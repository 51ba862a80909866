"""Who leaves a journey, why, and what becomes of what was waiting for them?"""
