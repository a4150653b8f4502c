"""The shapes that cross the network: requests as they arrive, answers as they leave."""
