"""The ways in which promoters are paid, by their names."""

METHODS = {"alipay": ("支付宝", "Alipay"), "bank": ("银行卡", "bank"), "wechat": ("微信", "WeChat")}
"""Code of a method -> its name in Chinese and English."""
