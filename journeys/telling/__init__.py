"""What is told of a journey: counts per step, the people behind them, one person's path?"""
