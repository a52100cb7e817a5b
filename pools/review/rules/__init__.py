"""The rules, one file each; see pools.review.rule for what a file has to say."""
