"""How is a journey drawn, said in words and typed in?

Owns the drawing and its layout, two versions beside each other, the form that makes a journey and opens it again.
"""
