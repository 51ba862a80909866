"""What is a code worth, to whom, for which goods, and how often?"""
